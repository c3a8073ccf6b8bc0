// SPDX-License-Identifier: GPL-2.0-only
/*
 * chainstress: messages to the target at given moments, instead of an administrator.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "dm.h"
#include "model.h"
#include "power-loss.h"
#include "report.h"
#include "script.h"
#include "writer.h"

#define WAIT_SECONDS	200

/* The job that the last message started has to end without an error. */
static void wait_for_job(struct stress *s)
{
	unsigned int tries = WAIT_SECONDS * 20;
	struct job_status st;

	while (tries-- && !s->failed) {
		int err = dm_status(s->name, &st);

		if (err || (st.present && st.error)) {
			stress_fail(s, "the job: %s", strerror(err ? err : st.error));
			return;
		}
		if (!strcmp(st.state, "concluded"))
			return;
		s->heartbeat++;
		usleep(50000);
	}
	stress_fail(s, "the job does not end");
}

/* The chain is removed between two operations of the writers, and is there again. */
static int make_again(struct stress *s)
{
	static char params[CHAIN_TABLE_LEN];
	char path[128];
	uint64_t sectors;
	int err;

	writers_hold(s);
	err = dm_table(s->name, params, sizeof(params), &sectors);
	close(s->dev);
	if (!err)
		err = dm_remove(s->name);
	if (!err)
		err = dm_create(s->name, "cowchain", sectors, params, false);
	snprintf(path, sizeof(path), "/dev/mapper/%s", s->name);
	s->dev = open(path, O_RDWR | O_DIRECT);
	if (s->dev < 0)
		die("%s: %s", path, strerror(errno));
	writers_release(s);
	return err;
}

/*
 * Also if that was before the device was made again, on a slow machine: then there is none. What the
 * headers say of it is judged afterwards.
 */
static bool job_ended(struct stress *s)
{
	struct job_status st;

	if (dm_status(s->name, &st))
		return false;
	return !st.present || (!strcmp(st.state, "concluded") && !st.error);
}

/* Waits until the job has got so far, or has ended. */
static void wait_past(struct stress *s, uint64_t offset)
{
	unsigned int tries = WAIT_SECONDS * 200;
	struct job_status st;

	while (tries-- && !s->failed) {
		if (dm_status(s->name, &st) || !st.present) {
			stress_fail(s, "there is no job");
			return;
		}
		if (st.offset >= offset)
			return;
		s->heartbeat++;
		usleep(5000);
	}
	stress_fail(s, "the job does not get to %llu", (unsigned long long)offset);
}

/* Waits until the job may be told to complete, or has ended. */
static void wait_ready(struct stress *s)
{
	unsigned int tries = WAIT_SECONDS * 200;
	struct job_status st;

	while (tries-- && !s->failed) {
		if (dm_status(s->name, &st) || !st.present || st.error) {
			stress_fail(s, "the job is gone, or has failed");
			return;
		}
		if (!strcmp(st.state, "ready") || !strcmp(st.state, "concluded"))
			return;
		s->heartbeat++;
		usleep(5000);
	}
	stress_fail(s, "the job does not get ready");
}

static void run_message(struct stress *s, unsigned int i, const char *text)
{
	int err = 0;

	crash_mark(s, 'b', i);
	stress_note(s, "message: %s", text);
	if (!strcmp(text, "wait"))
		wait_for_job(s);
	else if (!strncmp(text, "past ", 5))
		wait_past(s, parse_size(text + 5, 0));
	else if (!strcmp(text, "ready"))
		wait_ready(s);
	else if (!strcmp(text, "again"))
		err = make_again(s);
	else
		err = dm_message(s->name, "%s", text);
	/* the job may have ended by now */
	if (err && !(!strncmp(text, "job-", 4) && job_ended(s)))
		stress_fail(s, "message %s: %s", text, strerror(err));
	crash_mark(s, 'd', i);
}

/* Sends each message as soon as its number of operations have begun. */
void *script_thread(void *arg)
{
	struct stress *s = arg;
	unsigned int i;

	for (i = 0; i < s->n_script && !s->failed; i++) {
		const char *text = strchr(s->script[i], ':');
		uint64_t at = parse_size(strndupa(s->script[i], text - s->script[i]), 0);

		while (s->running && !s->failed && s->next < at)
			usleep(500);
		run_message(s, i, text + 1);
		s->heartbeat++;
	}
	while (s->running && !s->failed)
		usleep(5000);
	if (!s->failed)
		model_check_moment(s, s->dev, s->clock, s->clock, NULL);
	return NULL;
}
