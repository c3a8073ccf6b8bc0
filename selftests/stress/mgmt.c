// SPDX-License-Identifier: GPL-2.0-only
/*
 * chainstress: what an administrator does to the chain while the writers write.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm.h"
#include "mgmt.h"
#include "mgmt-job.h"
#include "mgmt-snapshot.h"
#include "model.h"
#include "report.h"

static void op_suspend(struct mgmt *m)
{
	bool noflush = rng_below(&m->rng, 2);
	int err = dm_suspend(m->s->name, noflush);

	stress_note(m->s, "suspend%s: %s", noflush ? " noflush" : "", err ? strerror(err) : "done");
	if (err) {
		stress_fail(m->s, "suspend: %s", strerror(err));
		return;
	}
	usleep(rng_below(&m->rng, 20000));
	err = dm_resume(m->s->name);
	if (err)
		stress_fail(m->s, "resume: %s", strerror(err));
}

static void op_reload(struct mgmt *m)
{
	bool job = mgmt_job_runs(m);
	char before[CHAIN_TABLE_LEN];
	char after[CHAIN_TABLE_LEN];
	uint64_t sectors;
	int err;

	err = dm_table(m->s->name, before, sizeof(before), &sectors);
	if (!err)
		err = dm_reload(m->s->name, sectors, before);
	if (!err)
		err = dm_suspend(m->s->name, rng_below(&m->rng, 2));
	if (!err) {
		err = dm_resume(m->s->name);
		/* a device that stays suspended would block the writers: return to the old table */
		if (err) {
			dm_clear(m->s->name);
			dm_resume(m->s->name);
		}
	}
	stress_note(m->s, "reload: %s", err ? strerror(err) : "done");
	if (err) {
		dm_clear(m->s->name);
		/* the job may have dropped layers between the two calls */
		if (!job || dm_table(m->s->name, after, sizeof(after), NULL) ||
		    !strcmp(before, after))
			stress_fail(m->s, "reload: %s", strerror(err));
		return;
	}
	mgmt_job_settle(m);
	if (!job && (dm_table(m->s->name, after, sizeof(after), NULL) || strcmp(before, after)))
		stress_fail(m->s, "the table changed in a reload: %s, was %s", after, before);
}

static const struct {
	const char *name;
	void (*fn)(struct mgmt *m);
	unsigned int weight;
} verbs[] = {
	{ "snapshot", mgmt_snapshot, 4 },
	{ "stream", mgmt_stream, 4 },
	{ "lower", mgmt_lower, 4 },
	{ "commit", mgmt_commit, 4 },
	{ "active", mgmt_active, 4 },
	{ "complete", mgmt_complete, 1 },
	{ "cancel", mgmt_cancel, 1 },
	{ "pause", mgmt_pause, 2 },
	{ "speed", mgmt_speed, 1 },
	{ "suspend", op_suspend, 2 },
	{ "reload", op_reload, 2 },
};

static void one_verb(struct mgmt *m)
{
	unsigned int total = 0;
	unsigned int i;
	uint64_t at;

	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strstr(m->s->mgmt, verbs[i].name))
			total += verbs[i].weight;
	if (!total)
		return;
	at = rng_below(&m->rng, total);
	for (i = 0; i < ARRAY_SIZE(verbs) - 1; i++) {
		if (!strstr(m->s->mgmt, verbs[i].name))
			continue;
		if (at < verbs[i].weight)
			break;
		at -= verbs[i].weight;
	}
	verbs[i].fn(m);
	m->s->heartbeat++;
}

/* Lets the writers do some operations, so that a seed gives the same proportions on any machine. */
static void let_write(struct mgmt *m)
{
	uint64_t until = m->s->next + 2 + rng_below(&m->rng, 30);

	while (m->s->running && !m->s->failed && m->s->next < until)
		usleep(500);
}

static void finish(struct mgmt *m)
{
	mgmt_job_wait(m);
	if (!chain_read(m->s, &m->chain))
		return;
	mgmt_claim(m, &m->chain.l[m->chain.n - 1]);
}

void *mgmt_thread(void *arg)
{
	struct mgmt *m = xalloc(sizeof(*m));
	char path[512];

	m->s = arg;
	m->rng.state = mix64(m->s->seed ^ 0x6d676d74);
	while (m->s->running && !m->s->failed) {
		let_write(m);
		one_verb(m);
	}
	if (!m->s->failed)
		finish(m);
	snprintf(path, sizeof(path), "%s/manifest", m->s->out);
	claims_write(&m->claims, path);
	if (!m->s->failed)
		snprintf(path, sizeof(path), "%s/%s.model", m->s->out,
			 chain_leaf(m->chain.l[m->chain.n - 1].file));
	if (!m->s->failed)
		model_check_moment(m->s, m->s->dev, m->s->clock, m->s->clock, path);
	free(m);
	return NULL;
}
