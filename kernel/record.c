// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stream that the top's header has recorded: continue it, or drop it.
 */
#include <linux/slab.h>
#include <linux/string.h>

#include "identity.h"
#include "record.h"
#include "stream.h"

int cc_recorded_base(struct cc_view *view, const struct q2_ident_job *record)
{
	const struct q2_ident *id;
	unsigned int i;

	if (record->base == -1)
		return -1;
	if (record->base < 0)
		return -ENOENT;
	for (i = 0; i + 1 < view->nr; i++) {
		id = &view->layer[i]->ident;
		if (id->present && !memcmp(id->uuid, record->base_uuid, QCOW2_UUID_BYTES))
			return i;
	}
	i = record->base;
	if (i + 1 < view->nr && !memchr_inv(record->base_uuid, 0, QCOW2_UUID_BYTES) &&
	    !view->layer[i]->ident.present)
		return i;
	return -ENOENT;
}

int cc_stream_continue(struct cowchain *cc, bool may_pause)
{
	struct cc_view *view = cc_view_current(cc);
	struct cc_layer *top = cc_view_active(view);
	const struct q2_ident_job record = top->ident.job;
	struct cc_stream_args args = {
		.speed = record.speed,
		.on_error = min_t(u32, record.on_error, CC_ON_ERROR_ENOSPC),
		.paused = may_pause && record.paused,
	};
	int base = cc_recorded_base(view, &record);
	char *name;
	int r;

	lockdep_assert_held(&cc->ctl);
	if (base < -1 || record.type != QCOW2_IDENT_JOB_STREAM) {
		cc_err(cc, "the interrupted stream cannot be continued: its base is not in the chain");
		return -ENOENT;
	}
	name = base < 0 ? NULL : cc_ident_job_name(top);
	if (IS_ERR(name))
		return PTR_ERR(name);
	if (name) {
		args.backing_name = name;
		args.backing_format = cc_kind_name(view->layer[base]->kind);
	}
	cc->base = base < 0 ? -1 : (int)view->layer[base]->slot;
	r = cc_stream_start(cc, &args);
	kfree(name);
	if (r) {
		cc->base = -1;
		cc_err(cc, "the interrupted stream cannot be continued: error %d", r);
	} else if (base < 0) {
		cc_info(cc, "the interrupted stream continues, without a base");
	} else {
		cc_info(cc, "the interrupted stream continues, base %d", base);
	}
	return r;
}

int cc_stream_drop(struct cowchain *cc)
{
	lockdep_assert_held(&cc->ctl);
	if (READ_ONCE(cc->mode) != CC_RW) {
		cc_err(cc, "the chain is read-only: the stream stays recorded in the top");
		return -EROFS;
	}
	return cc_ident_job_drop(cc_view_active(cc_view_current(cc)));
}
