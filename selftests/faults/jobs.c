// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultwalk: jobs, how they may end, and how they continue.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dm.h"
#include "jobs.h"
#include "pivot.h"
#include "steps-message.h"
#include "steps-table.h"
#include "verdict.h"

/* Less than the time after which the watchdog reports a hang. */
#define WAIT_MS		120000

/* Waits for a job to end or to stop, or to be ready. */
static bool job_wait(struct walk *w, struct job_status *st, bool ready)
{
	uint64_t until = now_ms() + WAIT_MS;
	int err;

	while (now_ms() < until) {
		err = dm_status(NAME, st);
		if (err) {
			wrong(w, "status: %s", strerror(err));
			return false;
		}
		if (!st->present) {
			wrong(w, "there is no job");
			return false;
		}
		if (!strcmp(st->state, "concluded") || !strcmp(st->state, "paused") ||
		    (ready && !strcmp(st->state, "ready")))
			return true;
		w->steps++;
		usleep(2000);
	}
	wrong(w, "the job hangs in state %s at %llu of %llu", st->state,
	      (unsigned long long)st->offset, (unsigned long long)st->len);
	return false;
}

static bool stops_on(const struct walk *w, int err)
{
	return !strcmp(w->policy, "stop") || (!strcmp(w->policy, "enospc") && err == ENOSPC);
}

/*
 * Metadata of the top, or of the base, could not be written: the job has ended, and cannot go on. Of
 * errors that do not end the first one is known, which may be any; the base's come after it.
 */
static bool cannot_write(const struct walk *w, const struct hit *h)
{
	if (w->broken || (!one_shot(w) && h->failed > 1 && w->lower))
		return true;
	return hit_base(w, h) && (h->op == 'f' || hit_meta(w, h));
}

static void judge_job_error(struct walk *w, const struct job_status *st)
{
	const char *want = st->error == ENOSPC ? "nospace" : "failed";
	struct hit h;

	look_mode(w);
	fault_look(w->fault.kind, &h);
	if (h.failed == w->job_mark && !w->broken) {
		wrong(w, "the job failed with %s, but no fault came", strerror(st->error));
		return;
	}
	if (!right_errno(w, &h, st->error) && !(cannot_write(w, &h) && st->error == EROFS) &&
	    !(h.failed > 1 && st->error == EIO))
		wrong(w, "the job failed with %s", strerror(st->error));
	if (strcmp(st->io_status, want))
		wrong(w, "the job's io-status is %s, expected %s", st->io_status, want);
	if (st->layers != w->layers)
		wrong(w, "%u layers after a job that failed, expected %u", st->layers, w->layers);
}

/* A job that stopped continues at the same place, unless the chain has become read-only. */
static bool job_go_on(struct walk *w, struct job_status *st, bool ready)
{
	judge_job_error(w, st);
	if (!stops_on(w, st->error)) {
		wrong(w, "the job stopped with %s in spite of its policy %s", strerror(st->error),
		      w->policy);
		return false;
	}
	if (w->broken || !one_shot(w))
		return dm_message(NAME, "job-cancel"), false;
	if (dm_message(NAME, "job-resume")) {
		wrong(w, "a job that stopped cannot be resumed");
		return false;
	}
	return job_wait(w, st, ready);
}

/* A job that ended with an error has not changed the chain, and a second one works. */
static bool job_again(struct walk *w, struct job_status *st, const char *again, bool ready)
{
	struct hit h;

	judge_job_error(w, st);
	fault_look(w->fault.kind, &h);
	/* if metadata could not be written, only another table helps, or another commit */
	if (stops_on(w, st->error) && !cannot_write(w, &h))
		wrong(w, "the job ended with %s in spite of its policy %s", strerror(st->error),
		      w->policy);
	if (w->broken || !one_shot(w))
		return false;
	/* a base that was selected stays selected until a stream has ended without an error */
	if (!step_message(w, "%s", again))
		return false;
	return job_wait(w, st, ready);
}

/* The job ends, or is ready, in spite of the fault. Return: false if it cannot. */
static bool job_past_fault(struct walk *w, struct job_status *st, const char *again, bool ready)
{
	if (!job_wait(w, st, ready))
		return false;
	look_mode(w);
	if (!strcmp(st->state, "paused") && !job_go_on(w, st, ready))
		return false;
	return strcmp(st->state, "concluded") || !st->error || job_again(w, st, again, ready);
}

bool step_job_there(struct walk *w)
{
	uint64_t until = now_ms() + WAIT_MS;
	struct job_status st;

	if (w->dev < 0)
		return false;
	w->shared = true;
	while (now_ms() < until) {
		if (dm_status(NAME, &st) || !st.present) {
			wrong(w, "the job is gone");
			return false;
		}
		/* it is recorded and could not be continued, or it has just begun */
		if (strcmp(st.state, "created") || !dm_message(NAME, "job-resume"))
			return true;
		/* a flush that failed in the background has made the chain read-only */
		if (!strcmp(st.mode, "ro"))
			return false;
		/* it cannot be continued now either, only when the errors have ended */
		if (!one_shot(w))
			return false;
		usleep(2000);
	}
	wrong(w, "the job does not begin");
	return false;
}

/* Can the fault that came in this step have kept the header from being written? */
static bool hit_record(const struct walk *w, const struct hit *before, const struct hit *after)
{
	return after->failed > before->failed &&
	       (!one_shot(w) || after->op == 'f' || (after->op == 'w' && hit_meta(w, after)));
}

void step_job_resume(struct walk *w)
{
	struct hit before, after;

	fault_look(w->fault.kind, &before);
	if (!step_message(w, "job-resume"))
		return;
	fault_look(w->fault.kind, &after);
	look_mode(w);
	w->may_be_paused = w->broken || hit_record(w, &before, &after);
}

void step_cancel(struct walk *w)
{
	if (w->dev < 0)
		return;
	w->cancelled = step_message(w, "job-cancel");
	w->shared = false;
}

void step_cancel_last(struct walk *w, const struct job_status *was)
{
	int err = dm_message(NAME, "job-cancel");
	struct job_status st;

	if (!err)
		return;
	if (err != EROFS || !w->broken) {
		wrong(w, "the job cannot be cancelled: %s", strerror(err));
		return;
	}
	/* one that is only recorded just stays so */
	if (!strcmp(was->state, "created"))
		return;
	if (dm_status(NAME, &st) || !st.present || strcmp(st.state, "concluded"))
		wrong(w, "the job has not ended, though only its record must stay");
	w->cancel_again = true;
}

void step_cancel_again(struct walk *w, const char *params)
{
	struct job_status st;
	int err;

	if (dm_status(NAME, &st) || !st.present) {
		wrong(w, "a job is not recorded any more, though its cancel was refused");
		return;
	}
	err = dm_message(NAME, "job-cancel");
	/* ENOENT: it has done all that was left */
	if (err && err != ENOENT) {
		wrong(w, "the job cannot be cancelled by the next table either: %s", strerror(err));
		return;
	}
	w->cancelled = !err;
	if (w->cancelled) {
		step_remove(w);
		step_create_params(w, params);
	}
	step_job_recorded(w);
}

static void job_end(struct walk *w, const char *again, unsigned int layers)
{
	struct job_status st;

	if (!job_past_fault(w, &st, again, false))
		return;
	if (strcmp(st.state, "concluded") || st.error) {
		wrong(w, "the job is %s with error %d after the fault is over", st.state, st.error);
		return;
	}
	if (st.layers != layers)
		wrong(w, "%u layers after the job, expected %u", st.layers, layers);
	w->layers = layers;
	if (w->active)
		pivot_expect(w);
}

bool step_job_ready(struct walk *w, const char *again)
{
	struct job_status st;

	if (w->dev < 0 || !job_past_fault(w, &st, again, true))
		return false;
	if (strcmp(st.state, "ready"))
		wrong(w, "the job is %s with error %d instead of ready", st.state, st.error);
	return !strcmp(st.state, "ready");
}

void step_job(struct walk *w, const char *again, unsigned int layers)
{
	if (w->dev < 0)
		return;
	job_end(w, again, layers);
	w->shared = false;
}

/* Resumes one that is paused because nobody could record that it was not. Return: false if it is not so. */
static bool resume_once(struct walk *w)
{
	bool may = w->may_be_paused;

	w->may_be_paused = false;
	return may && !dm_message(NAME, "job-resume");
}

void step_job_recorded(struct walk *w)
{
	uint64_t until = now_ms() + WAIT_MS;
	struct job_status st;
	bool hurried = false;

	do {
		if (dm_status(NAME, &st)) {
			wrong(w, "no status");
			return;
		}
		if (!st.present || !strcmp(st.state, "concluded"))
			break;
		if (!strcmp(st.state, "paused") && !st.error && !resume_once(w))
			break;
		/* not one that may turn out to be paused, which this would hide */
		if (!strcmp(st.state, "created") && !w->may_be_paused)
			dm_message(NAME, "job-resume");
		else if (!strcmp(st.state, "ready"))
			dm_message(NAME, "job-complete");
		else if (!hurried && strcmp(st.state, "created"))	/* the recorded speed would take long */
			hurried = !dm_message(NAME, "job-set-speed 0");
		usleep(2000);
	} while (now_ms() < until);
	if (st.present && (strcmp(st.state, "concluded") || st.error))
		wrong(w, "the job that was continued is %s with error %d", st.state, st.error);
	w->layers = st.layers;
	if (w->active && st.layers == w->base + 1)
		pivot_expect(w);
	if (w->cancelled && st.present)
		wrong(w, "a job that was cancelled is continued by the next table");
}
