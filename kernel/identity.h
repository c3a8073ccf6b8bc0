/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The identity of layers in their headers; identity-format.h is what lies
 * there, qcow2-ident.h how it is read and changed.
 */
#ifndef COWCHAIN_IDENTITY_H
#define COWCHAIN_IDENTITY_H

#include "layer.h"

/**
 * cc_ident_check() - may the last of these layers be written?
 *
 * Each layer has to lie on the one it was made for, as that was then, and the
 * last one must not be the backing file of another.  Features of the table
 * allow either nevertheless.
 *
 * Process.  Return: 0, -EMEDIUMTYPE (sealed), -ESTALE (another parent); says
 * why in the log.
 */
int cc_ident_check(struct cowchain *cc, struct cc_layer **layers, unsigned int nr);
/* The part of it that concerns the last one alone. */
int cc_ident_check_top(struct cc_layer *top);

/**
 * cc_ident_activate() - check, and count this use of the top.
 *
 * A top without an identity gets one.  Process, cc->ctl held.  Return: 0 or
 * -errno; a header without room for an identity is no error.
 */
int cc_ident_activate(struct cowchain *cc, struct cc_layer **layers, unsigned int nr);

/**
 * cc_ident_snapshot() - @top gets its place on @old, @old is sealed.
 *
 * Process, cc->ctl held.  Return: 0 or -errno.  cc_ident_unseal() takes back
 * what was done to @old.
 */
int cc_ident_snapshot(struct cc_layer *old, struct cc_layer *top);
void cc_ident_unseal(struct cc_layer *old);

/**
 * cc_ident_set_job() - record a job in the header of the top.
 * @name: backing file name that the user gave, or NULL.
 *
 * Process, cc->ctl held.  Return: 0, also for a layer without an identity, or
 * -errno.
 */
int cc_ident_set_job(struct cc_layer *top, const struct q2_ident_job *job, const char *name);

/* What a user has changed since. */
void cc_ident_save_job(struct cc_layer *top, u64 speed, bool paused);
/* All is copied, the header will say next that @base is called @name (NULL: no change). */
int cc_ident_job_copied(struct cc_layer *top, const struct cc_layer *base, const char *name);
/* And now it does. */
void cc_ident_job_done(struct cc_layer *top, const struct cc_layer *base);
/* The job ended in another way, or a recorded one shall not go on. */
int cc_ident_job_drop(struct cc_layer *top);

/**
 * cc_ident_job_name() - the name that cc_ident_set_job() was given.
 *
 * Return: string to be freed by the caller, NULL if there is none, or ERR_PTR.
 */
char *cc_ident_job_name(struct cc_layer *top);

#endif /* COWCHAIN_IDENTITY_H */
