// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mode of the chain, and log messages that are limited in number.
 */
#include "mode.h"

void cc_err_limit(struct cowchain *cc, const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	if (!__ratelimit(&cc->log_limit))
		return;
	va_start(args, fmt);
	vaf.va = &args;
	cc_err(cc, "%pV", &vaf);
	va_end(args);
}

void cc_set_mode(struct cowchain *cc, enum cc_mode mode, const char *why)
{
	bool changed;

	spin_lock_irq(&cc->lock);
	changed = mode > cc->mode;
	if (changed)
		WRITE_ONCE(cc->mode, mode);
	spin_unlock_irq(&cc->lock);
	if (!changed)
		return;
	cc_err(cc, "%s: no more writes until the table is loaded again", why);
	dm_table_event(cc->ti->table);
}

void cc_writes_failed(struct cowchain *cc, int error)
{
	char why[64];

	snprintf(why, sizeof(why), "cannot commit metadata: error %d", error);
	cc_set_mode(cc, CC_RO, why);
}

int cc_check_live(struct cowchain *cc)
{
	lockdep_assert_held(&cc->ctl);
	if (!cc->suspended)
		return 0;
	cc_err(cc, "the device is suspended: resume it first");
	return -EAGAIN;
}
