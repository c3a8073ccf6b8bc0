/* SPDX-License-Identifier: GPL-2.0-only */
/* The job that a header has recorded: continue it, or drop it. */
#ifndef COWCHAIN_RECORD_H
#define COWCHAIN_RECORD_H

#include "view.h"

/**
 * cc_recorded_base() - find a recorded job's base.
 *
 * By its identity, or by its number if it has none. Context: any. Return: its index in the chain,
 * -1 for none, -ENOENT if it is not in the chain.
 */
int cc_recorded_base(struct cc_view *view, const struct q2_ident_job *record);

/**
 * cc_stream_continue() - start the stream that the top's header has recorded.
 * @may_pause: paused, if that is recorded, too.
 *
 * Context: process, cc->ctl held. Return: 0 or -errno.
 */
int cc_stream_continue(struct cowchain *cc, bool may_pause);

/*
 * The same for a commit, whose base is loaded without cc->ctl. It is written by the device that the
 * chain has of it. Context: process, cc->ctl not held.
 */
int cc_commit_continue(struct cowchain *cc, bool may_pause);

/*
 * The layer below the top into which a stream is recorded, if no job is active, or -1. cc->ctl is
 * held.
 */
int cc_lower_recorded(struct cowchain *cc);

/* The same for that one. It is written by the device that the chain has of it. */
int cc_lower_continue(struct cowchain *cc, bool may_pause);

/*
 * Remove the record from a layer that can be written. Context: process, cc->ctl held. Return: 0 or
 * -errno.
 */
int cc_record_drop(struct cowchain *cc, struct cc_layer *layer);

#endif /* COWCHAIN_RECORD_H */
