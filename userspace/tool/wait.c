// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waits for a job by events of device-mapper, and shows its progress.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dm-watch.h"
#include "dm.h"
#include "number.h"
#include "result.h"
#include "show.h"
#include "space-check.h"
#include "util.h"
#include "wait.h"

#define PRINT_MS 1000
#define BAR_WIDTH 78
/* How long a job may remain "created", in seconds. */
#define CREATED_MAX 4
/* Weight of the last second in the displayed rate. */
#define RATE_WEIGHT 0.3

struct progress {
	char *name;		/* safe to be shown, of up to four times the bytes */
	bool tty;
	bool shown;		/* the cursor is behind a line without newline */
	char line[768];		/* what was printed last, and when */
	char state[16];
	double printed;
	double created;		/* since when the job is "created"; 0 if it is not */
	bool told_paused;
	double rate;		/* bytes per second, smoothed */
	uint64_t last_offset;
	double last_time;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void update_rate(struct progress *p, const struct target_job *job)
{
	double t = now(), rate;

	/* An event may follow a tick too closely to measure a rate. */
	if (p->last_time && t - p->last_time < 0.2)
		return;
	if (p->last_time && job->offset >= p->last_offset) {
		rate = (double)(job->offset - p->last_offset) / (t - p->last_time);
		p->rate = p->rate > 0 ? RATE_WEIGHT * rate + (1 - RATE_WEIGHT) * p->rate : rate;
	}
	p->last_offset = job->offset;
	p->last_time = t;
}

/* "vm1: stream  42.0%  1.2G of 3.0G  118.4M/s  00:15 left" */
static void print_progress(struct progress *p, const struct target_job *job)
{
	char done[HUMAN_LEN], len[HUMAN_LEN], rate[HUMAN_LEN], left[HUMAN_LEN];
	char line[sizeof(p->line)];
	bool news = strcmp(p->state, job->state);

	/*
	 * Events of other devices wake us, too: without news, print no more than a line per second.
	 */
	if (!news && now() - p->printed < (double)PRINT_MS / 1000 * 0.9)
		return;
	update_rate(p, job);
	human_size(job->offset, done);
	human_size(job->len, len);
	if (p->rate >= 1)
		human_size((uint64_t)p->rate, rate);
	else
		strcpy(rate, "--");
	if (job->offset >= job->len)
		human_time(0, left);
	else if (p->rate >= 1)
		human_time((uint64_t)((double)(job->len - job->offset) / p->rate), left);
	else
		snprintf(left, sizeof(left), "--:--");
	snprintf(line, sizeof(line), "%s: %s %5.1f%%  %s of %s  %s/s  %s left%s%s", p->name,
		 job->type, job_percent(job), done, len, rate, left,
		 strcmp(job->state, "running") ? "  " : "",
		 strcmp(job->state, "running") ? job->state : "");
	if (p->tty)
		printf("\r%-*s", BAR_WIDTH, line);
	else if (strcmp(line, p->line))
		puts(line);
	fflush(stdout);
	p->shown = p->tty;
	p->printed = now();
	strcpy(p->line, line);
	strcpy(p->state, job->state);
}

static void end_line(struct progress *p)
{
	if (p->shown)
		putchar('\n');
	p->shown = false;
}

/*
 * A recorded job that cannot be continued, or was told not to, never starts; without this check the
 * wait would never end. Returns an exit status, or -1 to keep waiting.
 */
static int judge_created(const char *name, const struct target_job *job, struct progress *p)
{
	if (strcmp(job->state, "created")) {
		p->created = 0;
		return -1;
	}
	if (!p->created)
		p->created = now();
	if (now() - p->created < CREATED_MAX)
		return -1;
	end_line(p);
	cc_error("%s: the job was interrupted and does not continue by itself: 'cowchain job %s resume' continues it or reports why it cannot, 'cowchain job %s cancel' ends it",
		 name, shell_word(name), shell_word(name));
	return CC_JOB_STOPPED;
}

/* Say that the job is paused, but keep waiting: it may be resumed from elsewhere. */
static void tell_paused(const char *name, const struct target_job *job, struct progress *p)
{
	bool paused = !strcmp(job->state, "paused") && !job_stopped_by_error(job);

	if (paused && !p->told_paused) {
		end_line(p);
		cc_note("%s: the job is paused: 'cowchain job %s resume' continues it", name,
			shell_word(name));
	}
	p->told_paused = paused;
}

/*
 * Has the job concluded, or does it need help to continue? Returns an exit status, or -1 to keep
 * waiting.
 */
static int judge(const char *name, const struct target_status *status, struct progress *p)
{
	const struct target_job *job = &status->job;

	bool ready = !strcmp(job->state, "ready");

	if (job_concluded(job) || job_stopped_by_error(job) || ready)
		end_line(p);
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
static int next_timeout(const struct wait_options *opt, double deadline, const struct progress *p)
{
	double left;

	if (p->created)
		return PRINT_MS;
	if (!opt->timeout)
		return opt->quiet ? -1 : PRINT_MS;
	left = (deadline - now()) * 1000;
	if (left < 0)
		left = 0;
	/* Round up, or the last wait would be a series of empty ones. */
	return !opt->quiet && left > PRINT_MS ? PRINT_MS : (int)left + 1;
}

static int wait_loop(const char *name, int watch, const struct wait_options *opt,
		     struct progress *p)
{
	double deadline = now() + opt->timeout;
	struct target_status status;
	int ret;

	for (;;) {
		/* Arm before reading the status, so that no event between the two is missed. */
		if (dm_watch_arm(watch) || dm_status(name, &status))
			return CC_FAILED;
		if (!status.job.present) {
			end_line(p);
			cc_error("%s: there is no job", name);
			return CC_FAILED;
		}
		if (!opt->quiet)
			print_progress(p, &status.job);
		tell_paused(name, &status.job, p);
		ret = judge(name, &status, p);
		if (ret >= 0)
			return ret;
		if (opt->timeout && now() >= deadline) {
			end_line(p);
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
	struct wait_options silent = { .quiet = opt->quiet || result_wanted(), .timeout = opt->timeout };
	struct progress p = { .tty = isatty(STDOUT_FILENO) };
	int watch = dm_watch_open();
	int ret;

	if (watch < 0)
		return CC_FAILED;
	p.name = xsafe_text(name);
	ret = wait_loop(name, watch, &silent, &p);
	end_line(&p);
	show_result_job(name);
	free(p.name);
	close(watch);
	return ret;
}
