// SPDX-License-Identifier: GPL-2.0-only
/*
 * chainstress: streams and commits, how they are controlled, and what has to be there when one has
 * ended.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dm.h"
#include "mgmt-job.h"
#include "qimg.h"
#include "report.h"

#define WAIT_MS		30000	/* for what needs no I/O of the writers */

static bool get_status(struct mgmt *m, struct job_status *st)
{
	int err = dm_status(m->s->name, st);

	if (err) {
		stress_fail(m->s, "status: %s", strerror(err));
		return false;
	}
	if (strcmp(st->mode, "rw"))
		stress_fail(m->s, "mode is %s", st->mode);
	if (st->allocated != UINT64_MAX && st->allocated > st->total)
		stress_fail(m->s, "status counts %" PRIu64 " of %" PRIu64 " subclusters",
			    st->allocated, st->total);
	return true;
}

/*
 * Waits until the loop device no longer holds the file: the target has closed it, and autoclear
 * acts.
 */
static void check_released(struct mgmt *m, const struct layer *l)
{
	char file[256];
	int ms;

	for (ms = 0; ms < WAIT_MS && !m->s->failed; ms++) {
		chain_loop_file(l->dev, file, sizeof(file));
		if (strcmp(file, l->file))
			return;
		usleep(1000);
	}
	stress_fail(m->s, "%s still holds %s after the job dropped it", l->dev,
		    chain_leaf(l->file));
}

static bool is_spare(struct stress *s, const char *file)
{
	unsigned int i;

	for (i = 0; i < s->n_spares; i++)
		if (!strncmp(chain_leaf(s->spares[i]), chain_leaf(file), strlen(chain_leaf(file))))
			return true;
	return false;
}

static void header_names(const struct layer *top, char *name, size_t len)
{
	struct qimg q;

	qimg_open(&q, top->file, false);
	snprintf(name, len, "%s", qimg_backing(&q));
	qimg_close(&q);
}

/*
 * Without a layer between base and top, a stream does not change the header. It may name another
 * layer than the one below, which a table that was loaded before an earlier stream ended has
 * brought back.
 */
static void check_header(struct mgmt *m, const struct layer *top)
{
	char name[sizeof(m->named)];
	const char *want = "";

	if (m->base >= 0)
		want = m->base + 1 == (int)m->into ? m->named :
		       chain_leaf(m->before.l[m->base].file);
	header_names(top, name, sizeof(name));
	if (strcmp(name, want))
		stress_fail(m->s, "the header of %s names '%s', expected '%s'",
			    chain_leaf(top->file), name, want);
}

/* All layers from @first to before @end are gone. */
static void check_dropped(struct mgmt *m, unsigned int first, unsigned int end)
{
	unsigned int i;

	for (i = first; i < end; i++)
		if (is_spare(m->s, m->before.l[i].file))
			check_released(m, &m->before.l[i]);
}

/* Reads the chain, which has to have so many layers. */
static bool check_left(struct mgmt *m, unsigned int left)
{
	if (!chain_read(m->s, &m->chain))
		return false;
	if (m->chain.n != left)
		stress_fail(m->s, "%u layers after the job, expected %u", m->chain.n, left);
	return m->chain.n == left;
}

/*
 * The job ended without an error: the base has to be below the layer with the header that names it,
 * with what has been put on that since.
 */
static void check_merged(struct mgmt *m)
{
	unsigned int at = m->base + 1;
	const struct chain *b = &m->before;

	if (!check_left(m, at + 1 + m->above))
		return;
	check_header(m, &m->chain.l[at]);
	if (m->commit)
		claims_end_commit(&m->claims, b->l[m->base].file, b->l[b->n - 2].file);
	check_dropped(m, at, m->into);
}

/* The same of a commit of the top: the base has taken its place, and its header names what it did. */
static void check_pivoted(struct mgmt *m)
{
	unsigned int left = m->base + 1;
	char name[sizeof(m->named)];

	if (!check_left(m, left))
		return;
	if (strcmp(m->chain.l[m->base].file, m->before.l[m->base].file))
		stress_fail(m->s, "the top is %s, expected %s", m->chain.l[m->base].file,
			    m->before.l[m->base].file);
	header_names(&m->chain.l[m->base], name, sizeof(name));
	if (strcmp(name, m->named))
		stress_fail(m->s, "the header of %s names '%s', it was '%s'",
			    chain_leaf(m->chain.l[m->base].file), name, m->named);
	check_dropped(m, left, m->before.n);
}

bool mgmt_job_runs(struct mgmt *m)
{
	struct job_status st;

	if (!m->job || !get_status(m, &st))
		return false;
	if (st.present && strcmp(st.state, "concluded"))
		return true;
	m->job = false;
	if (!st.present) {
		stress_fail(m->s, "the job is gone from the status");
		return false;
	}
	stress_note(m->s, "job concluded, errno %d", st.error);
	if (strcmp(st.io_status, "ok") ||
	    (st.error && !(m->cancelled && st.error == ECANCELED))) {
		stress_fail(m->s, "job concluded with %s, errno %d", st.io_status, st.error);
		return false;
	}
	if (!st.error && m->commit)
		parts_end(&m->parts, &m->before.l[m->base]);
	if (!st.error && m->active)
		check_pivoted(m);
	else if (!st.error)
		check_merged(m);
	return false;
}

/* A message to a job may fail because the job has concluded, but for no other reason. */
static void job_message(struct mgmt *m, const char *text)
{
	int err = dm_message(m->s->name, "%s", text);

	stress_note(m->s, "%s: %s", text, err ? strerror(err) : "done");
	if (err && mgmt_job_runs(m))
		stress_fail(m->s, "%s: %s, with a job there", text, strerror(err));
}

void mgmt_job_wait(struct mgmt *m)
{
	if (m->paused)
		job_message(m, "job-resume");
	m->paused = false;
	if (mgmt_job_runs(m))
		job_message(m, "job-set-speed 0");
	/* no limit here: the watchdog ends a run without progress */
	while (!m->s->failed && mgmt_job_runs(m)) {
		mgmt_complete(m);
		usleep(2000);
	}
}

/* The words that name the base, where a stream changes the header. */
static void name_for_header(const struct mgmt *m, unsigned int into, char *words, size_t len)
{
	const struct layer *base = m->base < 0 ? NULL : &m->chain.l[m->base];

	words[0] = '\0';
	if (base && m->base + 1 < (int)into)
		snprintf(words, len, " backing-file %s %s", chain_leaf(base->file), base->kind);
}

static void began(struct mgmt *m, bool commit)
{
	m->job = true;
	m->commit = commit;
	m->into = m->before.n - 1;
	m->above = 0;
	m->active = false;
	m->kept = false;
	m->paused = false;
	m->cancelled = false;
}

/* Some are refused as long as another commit has not been done. */
static bool accepted(struct mgmt *m, const char *what, int err, enum refusal want)
{
	if (err ? err != EBUSY || want == MUST_WORK : want == MUST_REFUSE)
		stress_fail(m->s, "%s: %s, which %s have been refused", what,
			    err ? strerror(err) : "accepted", err ? "must not" : "must");
	return !err;
}

void mgmt_stream(struct mgmt *m)
{
	uint64_t speed = rng_below(&m->rng, 2) ? (1 + rng_below(&m->rng, 32)) << 20 : 0;
	char base[16], name[300];
	int err;

	if (mgmt_job_runs(m) || !chain_read(m->s, &m->chain) || m->chain.n < 2)
		return;
	m->base = (int)rng_below(&m->rng, m->chain.n) - 1;
	snprintf(base, sizeof(base), m->base < 0 ? "none" : "%d", m->base);
	err = dm_message(m->s->name, "base %s", base);
	if (err) {
		stress_fail(m->s, "base %s: %s", base, strerror(err));
		return;
	}
	m->before = m->chain;
	header_names(&m->chain.l[m->chain.n - 1], m->named, sizeof(m->named));
	name_for_header(m, m->chain.n - 1, name, sizeof(name));
	err = dm_message(m->s->name, "stream speed %" PRIu64 "%s", speed, name);
	stress_note(m->s, "stream, base %s of %u layers, speed %" PRIu64 ": %s", base, m->chain.n,
		    speed, err ? strerror(err) : "started");
	if (accepted(m, "stream", err, parts_stream(&m->parts, &m->chain, m->base)))
		began(m, false);
}

/* What cannot be written is not taken for the base. */
static bool can_be_base(struct mgmt *m, const struct layer *l)
{
	char path[96];
	int ro = 1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/dev/block/%s/ro", l->dev);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%d", &ro) != 1)
		stress_fail(m->s, "%s: %s", path, strerror(errno));
	if (f)
		fclose(f);
	return !ro;
}

/* As long as a commit has not been done, what it concerns may be refused in more than one way. */
static bool lower_accepted(struct mgmt *m, int err)
{
	if (m->parts.n && err == ESTALE)
		err = EBUSY;
	return accepted(m, "stream into a lower layer", err, m->parts.n ? MAY_REFUSE : MUST_WORK);
}

static void lower(struct mgmt *m, unsigned int into)
{
	uint64_t speed = rng_below(&m->rng, 2) ? (1 + rng_below(&m->rng, 32)) << 20 : 0;
	char base[16], name[300];
	int err;

	m->base = (int)rng_below(&m->rng, into + 1) - 1;
	snprintf(base, sizeof(base), m->base < 0 ? "none" : "%d", m->base);
	m->before = m->chain;
	header_names(&m->chain.l[into], m->named, sizeof(m->named));
	name_for_header(m, into, name, sizeof(name));
	err = dm_message(m->s->name, "stream top %u base %s speed %" PRIu64 "%s", into, base, speed,
			 name);
	stress_note(m->s, "stream into %u, base %s of %u layers, speed %" PRIu64 ": %s", into, base,
		    m->chain.n, speed, err ? strerror(err) : "started");
	if (!lower_accepted(m, err))
		return;
	began(m, false);
	m->into = into;
	m->above = m->chain.n - 1 - into;
}

void mgmt_lower(struct mgmt *m)
{
	unsigned int can[MAX_LAYERS], n = 0, i;

	if (mgmt_job_runs(m) || !chain_read(m->s, &m->chain))
		return;
	for (i = 0; i + 1 < m->chain.n; i++)
		if (is_spare(m->s, m->chain.l[i].file) && can_be_base(m, &m->chain.l[i]))
			can[n++] = i;
	if (n)
		lower(m, can[rng_below(&m->rng, n)]);
}

void mgmt_commit(struct mgmt *m)
{
	uint64_t speed = rng_below(&m->rng, 2) ? (1 + rng_below(&m->rng, 32)) << 20 : 0;
	const struct chain *c = &m->chain;
	unsigned int can[MAX_LAYERS], n = 0, i;
	int err;

	if (mgmt_job_runs(m) || !chain_read(m->s, &m->chain))
		return;
	for (i = 0; i + 2 < c->n; i++)
		if (can_be_base(m, &c->l[i]))
			can[n++] = i;
	if (!n)
		return;
	m->base = can[rng_below(&m->rng, n)];
	m->before = m->chain;
	claims_begin_commit(&m->claims, c->l[m->base].file, c->l[c->n - 2].file);
	err = dm_message(m->s->name, "commit top %u base %d speed %" PRIu64 " backing-file %s %s",
			 c->n - 2, m->base, speed, chain_leaf(c->l[m->base].file),
			 c->l[m->base].kind);
	stress_note(m->s, "commit, base %d of %u layers, speed %" PRIu64 ": %s", m->base, c->n,
		    speed, err ? strerror(err) : "started");
	if (!accepted(m, "commit", err, parts_commit(&m->parts, c, m->base, c->n - 2)))
		return;
	parts_begin(&m->parts, &c->l[m->base], &c->l[c->n - 2]);
	began(m, true);
}

/*
 * Nothing is claimed about the layers from the base on, since it changes, and whatever is on it but the
 * top is right no more.
 */
void mgmt_active(struct mgmt *m)
{
	uint64_t speed = rng_below(&m->rng, 2) ? (1 + rng_below(&m->rng, 32)) << 20 : 0;
	bool keep = rng_below(&m->rng, 2);
	const struct chain *c = &m->chain;
	unsigned int can[MAX_LAYERS], n = 0, i;
	int err;

	if (mgmt_job_runs(m) || !chain_read(m->s, &m->chain))
		return;
	for (i = 0; i + 1 < c->n; i++)
		if (!strcmp(c->l[i].kind, "qcow2") && can_be_base(m, &c->l[i]))
			can[n++] = i;
	if (!n)
		return;
	m->base = can[rng_below(&m->rng, n)];
	m->before = m->chain;
	header_names(&c->l[m->base], m->named, sizeof(m->named));
	claims_begin_commit(&m->claims, c->l[m->base].file, c->l[c->n - 1].file);
	err = dm_message(m->s->name, "commit top %u base %d speed %" PRIu64 "%s", c->n - 1, m->base,
			 speed, keep ? " keep" : "");
	stress_note(m->s, "commit of the top, base %d of %u layers, speed %" PRIu64 "%s: %s", m->base,
		    c->n, speed, keep ? ", kept" : "", err ? strerror(err) : "started");
	if (!accepted(m, "commit of the top", err,
		      parts_commit(&m->parts, c, m->base, c->n - 1)))
		return;
	parts_begin(&m->parts, &c->l[m->base], &c->l[c->n - 1]);
	began(m, true);
	m->active = true;
	m->kept = keep;
}

void mgmt_complete(struct mgmt *m)
{
	struct job_status st;

	if (!m->kept || !mgmt_job_runs(m) || !get_status(m, &st) || strcmp(st.state, "ready"))
		return;
	job_message(m, "job-complete");
}

void mgmt_cancel(struct mgmt *m)
{
	if (!mgmt_job_runs(m))
		return;
	m->cancelled = true;
	job_message(m, "job-cancel");
	m->paused = false;
	mgmt_job_wait(m);
}

void mgmt_pause(struct mgmt *m)
{
	if (!mgmt_job_runs(m))
		return;
	job_message(m, m->paused ? "job-resume" : "job-pause");
	m->paused = !m->paused;
}

void mgmt_speed(struct mgmt *m)
{
	char text[64];

	if (!mgmt_job_runs(m))
		return;
	snprintf(text, sizeof(text), "job-set-speed %" PRIu64, rng_below(&m->rng, 64) << 20);
	job_message(m, text);
}

void mgmt_job_settle(struct mgmt *m)
{
	struct job_status st;

	if (m->job && get_status(m, &st) && !st.present) {
		stress_note(m->s, "the job ended with the old table");
		if (m->commit)
			parts_unsure(&m->parts, &m->before.l[m->base]);
		m->job = false;
		m->paused = false;
	}
}
