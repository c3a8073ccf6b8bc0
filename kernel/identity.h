/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The identity of layers in their headers. identity-format.h describes it on disk, qcow2-ident.h
 * how it is read and changed.
 */
#ifndef COWCHAIN_IDENTITY_H
#define COWCHAIN_IDENTITY_H

#include "layer.h"

/**
 * cc_ident_check() - check that the last of these layers may be written.
 *
 * Each layer has to be on the one it was made for, unchanged since, and the last one must not be
 * the backing file of another. Features of the table lift either rule.
 *
 * Context: process. Return: 0, -EMEDIUMTYPE (sealed) or -ESTALE (another parent); the reason is
 * logged.
 */
int cc_ident_check(struct cowchain *cc, struct cc_layer **layers, unsigned int nr);

/* The part of that which concerns the last layer alone. */
int cc_ident_check_top(struct cc_layer *top);

/**
 * cc_ident_activate() - check, and count this use of the top.
 *
 * A top without an identity gets one.
 *
 * Context: process, cc->ctl held. Return: 0 or -errno; a header without room for an identity is no
 * error.
 */
int cc_ident_activate(struct cowchain *cc, struct cc_layer **layers, unsigned int nr);

/**
 * cc_ident_set_below() - make @top, which is empty, a child of @old.
 *
 * @old may go on being the top instead: see cc_ident_seal().
 *
 * Context: process, cc->ctl held. Return: 0 or -errno.
 */
int cc_ident_set_below(struct cc_layer *top, const struct cc_layer *old);

/**
 * cc_ident_seal() - mark @old as the layer below another.
 * @job: the one that is recorded goes on into it.
 *
 * Context: process, cc->ctl held. Return: 0 or -errno. cc_ident_unseal() undoes it.
 */
int cc_ident_seal(struct cc_layer *old, bool job);
void cc_ident_unseal(struct cc_layer *old);

/**
 * cc_ident_set_job() - record a job in the header of the top, or of a stream's target.
 * @name: backing file name that the user gave, or NULL.
 *
 * Context: process, cc->ctl held. Return: 0, also for a layer without an identity, or -errno.
 */
int cc_ident_set_job(struct cc_layer *top, const struct q2_ident_job *job, const char *name);

/* Record what a user has changed since. Context: process, cc->ctl held. */
void cc_ident_save_job(struct cc_layer *top, u64 speed, bool paused, bool keep);

/**
 * cc_ident_job_copied() - record that everything has been copied.
 * @base: will be the layer below, NULL for none.
 * @name: what the header will call it; NULL for no change.
 *
 * Context: process, cc->ctl held. Return: 0 or -errno.
 */
int cc_ident_job_copied(struct cc_layer *top, const struct cc_layer *base, const char *name);

/* Record that the header names @base now. Context: process, cc->ctl held. */
void cc_ident_job_done(struct cc_layer *top, const struct cc_layer *base);

/* Remove the record of a job. Context: process, cc->ctl held. Return: 0 or -errno. */
int cc_ident_job_drop(struct cc_layer *top);

/**
 * cc_ident_commit() - let a commit write to a layer.
 * @target: that layer, the twin of one in the chain.
 * @last: the topmost layer that is committed.
 * @top: the top of the chain, which stands for @last if that has no identity.
 *
 * From here on every chain with @target is refused, unless it has @last above it: all that is
 * copied is shadowed by the layers up to that. After cc_ident_commit_done(), others may be put on
 * @target.
 *
 * Context: process, cc->ctl held. Return: 0, also for a layer that cannot have an identity, or
 * -errno.
 */
int cc_ident_commit(struct cc_layer *target, const struct cc_layer *last,
		    const struct cc_layer *top);
void cc_ident_commit_done(struct cc_layer *target);

/**
 * cc_ident_pivot() - let the layer that a commit has written be the top.
 * @target: all is there, durably.
 * @below: the layer below it, NULL for none.
 *
 * All writes of the guest wait. From here on @target is right alone, and what was above it before
 * is refused on it. If it is not known whether it is, the chain becomes read-only: both have the
 * same, and neither may get more.
 *
 * Context: process, cc->ctl held. Return: 0 or -errno.
 */
int cc_ident_pivot(struct cc_layer *target, const struct cc_layer *below);

/*
 * Mark what was the top until then, so that a message can tell what has become of it. If this
 * fails, cc_ident_check() sees that its base is written by no commit any more.
 */
void cc_ident_pivoted(struct cc_layer *old);

/**
 * cc_ident_check_commit() - may a commit copy the layers above @base, up to @top, into it?
 *
 * Context: process, cc->ctl held. Return: 0, or -EBUSY if another commit has to end before; logged.
 */
int cc_ident_check_commit(struct cc_view *view, int base, int top);

/* The same for a stream into layer @top that drops the layers between @base and that. */
int cc_ident_check_stream(struct cc_view *view, int base, int top);

/* May a stream write to layer @top, which is below another, and can it be recorded there? */
int cc_ident_check_lower(struct cc_view *view, int top);

/* The index of a layer below the top in which a stream is recorded, or -1. Context: any. */
int cc_ident_lower(struct cc_layer **layers, unsigned int nr);

/**
 * cc_ident_job_name() - the name that was given to cc_ident_set_job().
 *
 * Context: process. Return: a string to be freed by the caller, NULL if there is none, or ERR_PTR.
 */
char *cc_ident_job_name(struct cc_layer *top);

#endif /* COWCHAIN_IDENTITY_H */
