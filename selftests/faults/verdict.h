/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * faultwalk: which step may get which error.
 */
#ifndef COWCHAIN_FAULTS_VERDICT_H
#define COWCHAIN_FAULTS_VERDICT_H

#include "step.h"
#include "walk.h"

/* Prints what is wrong. The run continues to its end, so that it leaves nothing behind. */
void wrong(struct walk *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * A step that ended well, or with @err. @h: the faults that have come by now; @hit: one of them
 * came during the step; @was_broken: the mode was ro before it.
 */
void verdict_passed(struct walk *w, const struct step *s, const struct hit *h, bool hit,
		    bool was_broken);
void verdict_failed(struct walk *w, const struct step *s, const struct hit *h, bool hit,
		    bool was_broken, int err);
/* Was the step a message to a job that a fault has ended? */
bool verdict_job_gone(const struct step *s, const struct hit *h, int err);
bool step_is_flush(const struct step *s);

/* Looks whether the mode of the chain is ro, and notes it. */
void look_mode(struct walk *w);
/* Does one I/O fail, rather than all from a certain one on? */
bool one_shot(const struct walk *w);
/* Was it an I/O of metadata? */
bool hit_meta(const struct walk *w, const struct hit *h);
/* Has the base of a commit of the top become the top? */
bool pivoted(const struct walk *w);
/*
 * Did all writes fail from that of the header on that makes the base the top? Then nobody knows
 * whether it is, and the chain is read-only.
 */
bool pivot_unknown(const struct walk *w, const struct hit *h);
/* Was it a write or a flush of the layer that a commit goes into? */
bool hit_base(const struct walk *w, const struct hit *h);
/* And nothing else can fail? Then it concerns the job alone. */
bool hit_only_base(const struct walk *w, const struct hit *h);
/* Is @err an error as which the fault may be reported? */
bool right_errno(const struct walk *w, const struct hit *h, int err);

#endif
