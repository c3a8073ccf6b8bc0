// SPDX-License-Identifier: GPL-2.0-only
/*
 * The status line; see Documentation/dm-cowchain.rst.
 */
#include "job-control.h"
#include "status.h"
#include "table.h"
#include "top.h"

static const char *cc_mode_name(enum cc_mode mode)
{
	return mode == CC_RW ? "rw" : "ro";
}

/* "-" as long as the blocks are still being counted. */
static unsigned int cc_status_counts(struct cc_view *view, char *result, unsigned int maxlen)
{
	struct cc_top *top = view->top;
	struct cc_layer *active = cc_view_active(view);
	unsigned int shift = top ? top->sub_shift : 3;
	unsigned int sz = 0;

	DMEMIT(" %u ", 1U << shift);
	if (top && READ_ONCE(top->nr_counted) == top->nr_blocks)
		DMEMIT("%lld", (s64)atomic64_read(&top->provided));
	else
		DMEMIT("-");
	DMEMIT("/%llu", (u64)((active->sectors + (1U << shift) - 1) >> shift));
	return sz;
}

static unsigned int cc_status_info(struct cowchain *cc, char *result, unsigned int maxlen)
{
	enum cc_mode mode = cc->read_only ? CC_RO : READ_ONCE(cc->mode);
	struct cc_view *view;
	unsigned int sz = 0;

	rcu_read_lock();
	view = rcu_dereference(cc->view);
	DMEMIT("%s %u", cc_mode_name(mode), view ? view->nr : cc->nr_opened);
	if (view)
		sz += cc_status_counts(view, result + sz, maxlen - sz);
	else
		DMEMIT(" - -/-");
	rcu_read_unlock();
	return sz + cc_job_status(cc, result + sz, maxlen - sz);
}

void cc_status(struct dm_target *ti, status_type_t type, unsigned int flags,
	       char *result, unsigned int maxlen)
{
	struct cowchain *cc = ti->private;

	switch (type) {
	case STATUSTYPE_INFO:
		cc_status_info(cc, result, maxlen);
		break;
	case STATUSTYPE_TABLE:
		cc_table_print(cc, result, maxlen);
		break;
	case STATUSTYPE_IMA:
		cc_table_ima(cc, result, maxlen);
		break;
	default:
		*result = '\0';
	}
}
