// SPDX-License-Identifier: GPL-2.0-only
/*
 * The job that the top of a chain has recorded, when the chain has been attached again.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base.h"
#include "commit.h"
#include "dm.h"
#include "interrupted.h"
#include "plan.h"
#include "stream.h"
#include "util.h"

/* How long a job may remain "created": two seconds. */
#define JOB_BEGINS_TRIES 100
#define JOB_BEGINS_US 20000

/*
 * Does the interrupted job start? The answer to a message comes after the kernel has tried; then
 * only its thread has to start.
 */
static bool job_begins(const char *name)
{
	static const char *const query[] = { "base", NULL };
	struct target_status status;
	unsigned int tries;

	free(dm_ask(name, query));
	for (tries = 0; tries < JOB_BEGINS_TRIES; tries++) {
		if (dm_status(name, &status) || !status.job.present ||
		    strcmp(status.job.state, "created"))
			return true;
		usleep(JOB_BEGINS_US);
	}
	return false;
}

static void note_stream(const char *name, const struct q2_ident_job *job, bool waits)
{
	const char *word = shell_word(name);

	if (waits)
		cc_note("%s: a stream was interrupted: 'cowchain job %s resume' continues it, 'cowchain job %s cancel' ends it",
			name, word, word);
	else if (!job_begins(name))
		cc_note("%s: an interrupted stream cannot be continued, see the kernel log: 'cowchain job %s cancel' ends it, 'cowchain job %s resume' tries again",
			name, word, word);
	else if (job->paused)
		cc_note("%s: an interrupted stream is still paused: 'cowchain job %s resume' continues it",
			name, word);
	else
		cc_note("%s: an interrupted stream continues: 'cowchain wait %s' shows its progress",
			name, word);
}

/* As it was asked for. */
static struct job_args same_args(const struct q2_ident_job *job)
{
	static const char *const policies[] = { "report", "stop", "enospc" };
	struct job_args args = {
		.speed = job->speed ? "" : NULL,
		.bytes_per_second = job->speed,
		.on_error = policies[job->on_error < ARRAY_SIZE(policies) ? job->on_error : 2],
		.verify = job->verify,
	};

	return args;
}

/* Returns 0, or -1 after a message. */
static int start_again(const char *name, const struct q2_ident_job *job, unsigned int base)
{
	struct job_args args = same_args(job);
	struct live live;
	int ret;

	if (live_open_alone(&live, name))
		return -1;
	ret = -1;
	if (live_top(&live) > base)
		ret = commit_start(&live, base, live_top(&live) - !job->active, job->keep, &args);
	live_close(&live);
	return ret;
}

static void note_commit(const char *name, const struct q2_ident_job *job, bool waits)
{
	const char *how = job->active ? job->keep ? " --active --keep" : " --active" : "";
	char *again = xasprintf("'cowchain commit %s --base %d%s'", shell_word(name), job->base, how);
	struct target_status status;
	const char *word = shell_word(name);
	bool begins = !waits && job_begins(name);

	/* The number as the chain has it now. */
	if (!begins && !dm_status(name, &status) && status.job.present && status.job.base >= 0) {
		free(again);
		again = xasprintf("'cowchain commit %s --base %d%s'", word, status.job.base, how);
		if (!waits && !job->paused)
			begins = !start_again(name, job, (unsigned int)status.job.base);
	}
	if (begins && job->paused)
		cc_note("%s: an interrupted commit is still paused: 'cowchain job %s resume' continues it", name, word);
	else if (begins)
		cc_note("%s: an interrupted commit continues: 'cowchain wait %s' shows its progress", name, word);
	else if (job->paused)
		cc_note("%s: an interrupted commit is still paused: %s continues it, 'cowchain job %s cancel' ends it",
			name, again, word);
	else
		cc_note("%s: a commit was interrupted: %s continues it, 'cowchain job %s cancel' ends it", name, again,
			word);
	free(again);
}

void interrupted_job(const char *name, const struct q2_ident_job *job, bool waits)
{
	if (plan_wanted())
		return;
	if (job->type == QCOW2_IDENT_JOB_STREAM)
		note_stream(name, job, waits);
	else if (job->type == QCOW2_IDENT_JOB_COMMIT)
		note_commit(name, job, waits);
}

/* By devices that can be written. Returns 0, or -1 after a message. */
static int start_lower(const char *name, const struct q2_ident_job *job, unsigned int layer, int base)
{
	struct job_args args = same_args(job);
	char *stored = NULL;
	struct live live;
	int ret = -1;

	if (live_open_alone(&live, name))
		return -1;
	if (base >= 0 && layer < live_top(&live))
		stored = base_stored_name(&live, base, layer);
	if (layer < live_top(&live) && (base < 0 || stored))
		ret = stream_lower(&live, layer, base, stored,
				   stored ? kind_name(live.table.layers[base].kind) : NULL, &args);
	free(stored);
	live_close(&live);
	return ret;
}

void interrupted_lower(const char *name, const struct q2_ident_job *job, unsigned int layer, bool waits)
{
	const char *word = shell_word(name);
	struct target_status status;
	bool begins;

	if (plan_wanted())
		return;
	begins = !waits && job_begins(name);
	/* The number of the base as the chain has it now. */
	if (!begins && !waits && !job->paused && !dm_status(name, &status) && status.job.present)
		begins = !start_lower(name, job, layer, status.job.base);
	if (begins && !job->paused)
		cc_note("%s: an interrupted stream into layer %u continues: 'cowchain wait %s' shows its progress", name,
			layer, word);
	else if (begins)
		cc_note("%s: an interrupted stream into layer %u is still paused: 'cowchain job %s resume' continues it",
			name, layer, word);
	else
		cc_note("%s: a stream into layer %u was interrupted: 'cowchain stream %s --top %u' continues it, 'cowchain job %s cancel' ends it",
			name, layer, word, layer, word);
}
