// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waits for a job by events of device-mapper, and shows its progress.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm-watch.h"
#include "dm.h"
#include "progress-show.h"
#include "result.h"
#include "show.h"
#include "space-check.h"
#include "util.h"
#include "wait.h"

/* How long a job may remain "created", in seconds. */
#define CREATED_MAX 4

struct watched {
	char *name;		/* safe to be shown */
	char state[16];		/* what was shown last */
	double created;		/* since when the job is "created"; 0 if it is not */
	bool told_paused;
	struct progress_show show;
};

static void show_progress(struct watched *p, const struct target_job *job)
{
	struct progress progress = {
		.name = p->name,
		.what = job->type,
		.done = job->offset,
		.total = job->len,
		.state = strcmp(job->state, "running") ? job->state : NULL,
	};

	progress_show(&p->show, &progress, strcmp(p->state, job->state));
	strcpy(p->state, job->state);
}

/*
 * A recorded job that cannot be continued, or was told not to, never starts; without this check the
 * wait would never end. Returns an exit status, or -1 to keep waiting.
 */
static int judge_created(const char *name, const struct target_job *job, struct watched *p)
{
	if (strcmp(job->state, "created")) {
		p->created = 0;
		return -1;
	}
	if (!p->created)
		p->created = progress_now();
	if (progress_now() - p->created < CREATED_MAX)
		return -1;
	cc_error("%s: the job was interrupted and does not continue by itself: 'cowchain job %s resume' continues it or reports why it cannot, 'cowchain job %s cancel' ends it",
		 name, shell_word(name), shell_word(name));
	return CC_JOB_STOPPED;
}

/* Say that the job is paused, but keep waiting: it may be resumed from elsewhere. */
static void tell_paused(const char *name, const struct target_job *job, struct watched *p)
{
	bool paused = !strcmp(job->state, "paused") && !job_stopped_by_error(job);

	if (paused && !p->told_paused) {
		cc_note("%s: the job is paused: 'cowchain job %s resume' continues it", name,
			shell_word(name));
	}
	p->told_paused = paused;
}

/*
 * Has the job concluded, or does it need help to continue? Returns an exit status, or -1 to keep
 * waiting.
 */
static int judge(const char *name, const struct target_status *status, struct watched *p)
{
	const struct target_job *job = &status->job;

	bool ready = !strcmp(job->state, "ready");

	if (ready) {
		cc_note("%s: the commit is ready, and goes on copying what is written: 'cowchain job %s complete' lets the base become the top",
			name, shell_word(name));
		return CC_OK;
	}
	if (job_stopped_by_error(job) && !strcmp(job->io_status, "nospace")) {
		cc_error("%s: the job waits at offset %" PRIu64 ", no space is left below the top: make room, then 'cowchain job %s resume'",
			 name, job->offset, shell_word(name));
		space_note_full(name);
		return CC_JOB_STOPPED;
	}
	if (job_stopped_by_error(job)) {
		cc_error("%s: the job was stopped at offset %" PRIu64 " by an error (%s, %s): fix the cause, then 'cowchain job %s resume'",
			 name, job->offset, job->io_status,
			 job->error ? strerror(job->error) : "no errno", shell_word(name));
		space_note_full(name);
		return CC_JOB_STOPPED;
	}
	if (!job_concluded(job))
		return judge_created(name, job, p);
	if (job->error == ECANCELED) {
		cc_error("%s: the job was cancelled at offset %" PRIu64 "; 'cowchain stream %s' continues there",
			 name, job->offset, shell_word(name));
		return CC_JOB_CANCELLED;
	}
	if (job->error && !strcmp(status->mode, "ro")) {
		cc_error("%s: the job failed at offset %" PRIu64 ": %s, and the device has become read-only: fix the cause or make room, then 'cowchain reload %s', which also continues the job",
			 name, job->offset, strerror(job->error), shell_word(name));
		space_note_full(name);
		return CC_JOB_FAILED;
	}
	if (job->error || strcmp(job->io_status, "ok")) {
		cc_error("%s: the job failed at offset %" PRIu64 ": %s (io-status %s); the chain is as it was",
			 name, job->offset, strerror(job->error ? job->error : EIO), job->io_status);
		space_note_full(name);
		return CC_JOB_FAILED;
	}
	return CC_OK;
}

/* The longest wait for an event in ms; -1 for no limit. */
static int next_timeout(const struct wait_options *opt, double deadline, const struct watched *p)
{
	double left;

	if (p->created)
		return PROGRESS_MS;
	if (!opt->timeout)
		return p->show.wanted ? PROGRESS_MS : -1;
	left = (deadline - progress_now()) * 1000;
	if (left < 0)
		left = 0;
	/* Round up, or the last wait would be a series of empty ones. */
	return p->show.wanted && left > PROGRESS_MS ? PROGRESS_MS : (int)left + 1;
}

static int wait_loop(const char *name, int watch, const struct wait_options *opt,
		     struct watched *p)
{
	double deadline = progress_now() + opt->timeout;
	struct target_status status;
	int ret;

	for (;;) {
		/* Arm before reading the status, so that no event between the two is missed. */
		if (dm_watch_arm(watch) || dm_status(name, &status))
			return CC_FAILED;
		if (!status.job.present) {
			cc_error("%s: there is no job", name);
			return CC_FAILED;
		}
		show_progress(p, &status.job);
		tell_paused(name, &status.job, p);
		ret = judge(name, &status, p);
		if (ret >= 0)
			return ret;
		if (opt->timeout && progress_now() >= deadline) {
			cc_error("%s: the job is still %s after %u s; it continues", name,
				 status.job.state, opt->timeout);
			return CC_TIMEOUT;
		}
		ret = dm_watch_wait(watch, next_timeout(opt, deadline, p));
		if (ret < 0 && ret != -EINTR)
			return CC_FAILED;
	}
}

int wait_for_job(const char *name, const struct wait_options *opt)
{
	struct watched p = { 0 };
	int watch = dm_watch_open();
	int ret;

	if (watch < 0)
		return CC_FAILED;
	p.name = xsafe_text(name);
	progress_begin(&p.show, opt->quiet || result_wanted());
	ret = wait_loop(name, watch, opt, &p);
	progress_end(&p.show);
	show_result_job(name);
	free(p.name);
	close(watch);
	return ret;
}
