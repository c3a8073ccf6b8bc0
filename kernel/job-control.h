/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The door to jobs: what messages, status, suspend and snapshots ask of them.
 *
 * Context: process; cc->ctl is not held unless said otherwise. Return: 0 or -errno unless said
 * otherwise; the reason is logged.
 */
#ifndef COWCHAIN_JOB_CONTROL_H
#define COWCHAIN_JOB_CONTROL_H

#include "commit.h"
#include "first.h"
#include "stream.h"

/* Does the top's header record a job that is not active? cc->ctl is held. */
bool cc_job_recorded(struct cowchain *cc);

/* Start a stream; @args->base is filled in. */
int cc_job_stream(struct cowchain *cc, struct cc_stream_args *args);

int cc_job_pause(struct cowchain *cc);
/* Resume the job that is paused, or continue the one that is recorded. */
int cc_job_resume(struct cowchain *cc);
/* Cancel the job that is active, and drop the one that is recorded. */
int cc_job_cancel(struct cowchain *cc);
/* A job that is ready, and waits for this, may complete. It does so by itself. */
int cc_job_complete(struct cowchain *cc);
int cc_job_set_speed(struct cowchain *cc, u64 speed);
/* Have the stream copy @nr parts next. */
int cc_job_first(struct cowchain *cc, const struct cc_part *parts, unsigned int nr);

/* Let messages that wait for the job see that cc_must_yield(). */
void cc_job_wake(struct cowchain *cc);

/* It does not end from here on, and begins to stop. cc->ctl is held. */
void cc_job_mark_frozen(struct cowchain *cc);

/*
 * Nothing is written by the job from here on, until cc_job_unfreeze(), and what it has written to a
 * layer below the top is durable.
 */
void cc_job_freeze(struct cowchain *cc);

/*
 * The job may go on. With cc->ctl, or by the one that has set cc->snapshot, while that is set: so
 * what cc_job_check_held() has found stays true.
 */
void cc_job_unfreeze(struct cowchain *cc);

/* Is there a job that would not go on below another top? */
bool cc_job_bars_snapshot(struct cowchain *cc);

/**
 * cc_job_hold() - let a job that writes to the top hold still, for a snapshot.
 * @timeout: jiffies.
 *
 * cc->snapshot is set, so no job begins, or ends otherwise than by an error or a cancel.
 * cc_job_unfreeze() follows in any case. Return: 0, -EBUSY after the time, or -EINTR.
 */
int cc_job_hold(struct cowchain *cc, unsigned long timeout);

/*
 * Does it hold still? @goes_on: there is one, and it goes on into what is the top now. cc->ctl is
 * held, and as long as it is, this does not change.
 */
int cc_job_check_held(struct cowchain *cc, bool *goes_on);

/* A snapshot was taken: @layer, which was the top, is the target of that job. cc->ctl is held. */
void cc_job_adopt(struct cowchain *cc, struct cc_layer *layer);

/* Cancel if need be, wait and free. */
void cc_job_destroy(struct cowchain *cc);

/* Runs cc->continue_work: continues the recorded job after the first resume. */
void cc_continue_work(struct work_struct *work);

/* Wait until that has run, if it is to run. Return: 0 or -EINTR. */
int cc_job_await(struct cowchain *cc);

/* Print the words of the status line from "#job words" on. Any lock. Return: bytes. */
unsigned int cc_job_status(struct cowchain *cc, char *result, unsigned int maxlen);

#endif /* COWCHAIN_JOB_CONTROL_H */
