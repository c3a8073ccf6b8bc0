// SPDX-License-Identifier: GPL-2.0-only
/*
 * chainstress: what an administrator does to the chain while the writers write.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm.h"
#include "loops.h"
#include "qimg.h"
#include "stress.h"

#define TABLE_LEN	16384
#define WAIT_MS		30000	/* for what needs no I/O of the writers */

struct layer {
	char kind[16];
	char dev[32];		/* MAJ:MIN */
	char data[32];		/* MAJ:MIN or "-" */
	char file[256];		/* behind the loop device */
};

struct chain {
	uint64_t sectors;
	unsigned int n;
	struct layer l[MAX_LAYERS];
};

struct mgmt {
	struct stress *s;
	struct rng rng;
	FILE *manifest;
	unsigned int spare;	/* next to use */
	struct chain chain;	/* as the table says */
	bool job;		/* one was started and is not known to have ended */
	bool paused;
	bool cancelled;
	int base;		/* layer number, -1: none */
	struct chain before;	/* when the job started */
	char named[1024];	/* by the top's header, then */
};

static void loop_file(const char *dev, char *file, size_t len)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/dev/block/%s/loop/backing_file", dev);
	*file = 0;
	f = fopen(path, "r");
	if (!f)
		return;
	if (!fgets(file, len, f))
		*file = 0;
	file[strcspn(file, "\n")] = 0;
	fclose(f);
}

/* The file's own name; @file stays as it is. */
static const char *leaf(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash ? slash + 1 : file;
}

static bool get_word(char **p, char *word, size_t len)
{
	char *w = strsep(p, " ");

	return w && snprintf(word, len, "%s", w) < (int)len;
}

static bool parse_chain(struct chain *c, char *params)
{
	unsigned int features;
	char word[32];
	unsigned int i;

	if (!get_word(&params, word, sizeof(word)))
		return false;
	for (features = atoi(word); features; features--)
		if (!get_word(&params, word, sizeof(word)))
			return false;
	if (!get_word(&params, word, sizeof(word)))
		return false;
	c->n = atoi(word);
	if (!c->n || c->n > MAX_LAYERS)
		return false;
	for (i = 0; i < c->n; i++) {
		struct layer *l = &c->l[i];

		if (!get_word(&params, l->kind, sizeof(l->kind)) ||
		    !get_word(&params, l->dev, sizeof(l->dev)) ||
		    !get_word(&params, l->data, sizeof(l->data)))
			return false;
		loop_file(l->dev, l->file, sizeof(l->file));
	}
	return !params || !*params;
}

static bool read_chain(struct mgmt *m)
{
	char params[TABLE_LEN];
	int err = dm_table(m->s->name, params, sizeof(params), &m->chain.sectors);

	if (err) {
		stress_fail(m->s, "table: %s", strerror(err));
		return false;
	}
	if (!parse_chain(&m->chain, params)) {
		stress_fail(m->s, "unexpected table");
		return false;
	}
	return true;
}

static void print_chain(const struct chain *c, unsigned int n, char *params, size_t len)
{
	size_t pos = snprintf(params, len, "0 %u", n);
	unsigned int i;

	for (i = 0; i < n && pos < len; i++)
		pos += snprintf(params + pos, len - pos, " %s %s %s", c->l[i].kind, c->l[i].dev,
				c->l[i].data);
	if (pos >= len)
		die("table too long");
}

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

/* Waits until the file has no loop device any more at @dev: autoclear took effect. */
static void check_released(struct mgmt *m, const struct layer *l)
{
	char file[256];
	int ms;

	for (ms = 0; ms < WAIT_MS && !m->s->failed; ms++) {
		loop_file(l->dev, file, sizeof(file));
		if (strcmp(file, l->file))
			return;
		usleep(1000);
	}
	stress_fail(m->s, "%s still holds %s after the stream dropped it", l->dev, leaf(l->file));
}

static bool is_spare(struct stress *s, const char *file)
{
	unsigned int i;

	for (i = 0; i < s->n_spares; i++)
		if (!strncmp(leaf(s->spares[i]), leaf(file), strlen(leaf(file))))
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
 * With nothing between them, a stream leaves the header alone. It may name another than the layer
 * below: a table that was loaded before an earlier stream ended has brought that one back.
 */
static void check_header(struct mgmt *m, const struct layer *top)
{
	char name[sizeof(m->named)];
	const char *want = "";

	if (m->base >= 0)
		want = m->base + 2 == (int)m->before.n ? m->named :
		       leaf(m->before.l[m->base].file);
	header_names(top, name, sizeof(name));
	if (strcmp(name, want))
		stress_fail(m->s, "the header of %s names '%s', expected '%s'", leaf(top->file),
			    name, want);
}

/* The stream ended well: the chain has to be base and top, and the header has to say so. */
static void check_merged(struct mgmt *m)
{
	unsigned int left = m->base < 0 ? 1 : m->base + 2;
	const struct chain *b = &m->before;
	unsigned int i;

	if (!read_chain(m))
		return;
	if (m->chain.n != left) {
		stress_fail(m->s, "%u layers after the stream, expected %u", m->chain.n, left);
		return;
	}
	check_header(m, &m->chain.l[left - 1]);
	for (i = left - 1; i + 1 < b->n; i++)
		if (is_spare(m->s, b->l[i].file))
			check_released(m, &b->l[i]);
}

/* Returns true while a job is there that has not concluded. */
static bool poll_job(struct mgmt *m)
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
	if (!st.error)
		check_merged(m);
	return false;
}

/* A message about a job may come too late; then the job has to have concluded. */
static void job_message(struct mgmt *m, const char *text)
{
	int err = dm_message(m->s->name, "%s", text);

	stress_note(m->s, "%s: %s", text, err ? strerror(err) : "done");
	if (err && poll_job(m))
		stress_fail(m->s, "%s: %s, with a job there", text, strerror(err));
}

static void wait_job(struct mgmt *m)
{
	if (m->paused)
		job_message(m, "job-resume");
	m->paused = false;
	if (poll_job(m))
		job_message(m, "job-set-speed 0");
	/* the watchdog bounds it: a job that makes no progress for long is an error */
	while (!m->s->failed && poll_job(m))
		usleep(2000);
}

/* Checks the layers below the new top against the log and exports them as a model. */
static void check_frozen(struct mgmt *m, uint64_t from, uint64_t to)
{
	const struct layer *top = &m->chain.l[m->chain.n - 2];
	char params[TABLE_LEN];
	char model[512];
	char name[64];
	char dev[96];
	int err;
	int fd;

	snprintf(name, sizeof(name), "%s-frozen", m->s->name);
	snprintf(dev, sizeof(dev), "/dev/mapper/%s", name);
	snprintf(model, sizeof(model), "%s/%s.model", m->s->out, leaf(top->file));
	print_chain(&m->chain, m->chain.n - 1, params, sizeof(params));
	err = dm_create_ro(name, m->chain.sectors, params);
	if (err) {
		stress_fail(m->s, "chain over the frozen layers: %s", strerror(err));
		return;
	}
	fd = open(dev, O_RDONLY | O_DIRECT);
	if (fd < 0)
		die("%s: %s", dev, strerror(errno));
	if (!model_check_moment(m->s, fd, from, to, model))
		stress_fail(m->s, "frozen %s is wrong (ticks %" PRIu64 "-%" PRIu64 ")",
			    leaf(top->file), from, to);
	close(fd);
	err = dm_remove(name);
	if (err)
		stress_fail(m->s, "removing %s: %s", name, strerror(err));
	fprintf(m->manifest, "check %s\ncompare %s %s.model\n", leaf(top->file), leaf(top->file),
		leaf(top->file));
}

/* Attaches the next spare layer; returns descriptors to close when the target holds it. */
static void attach_spare(struct mgmt *m, char *dev, char *data, int fds[2])
{
	const struct loop_opts opts = { .autoclear = true };
	char *file = strdup(m->s->spares[m->spare++]);
	char *comma = strchr(file, ',');
	struct qimg q;

	if (comma)
		*comma = 0;
	qimg_open(&q, file, true);
	qimg_set_backing(&q, leaf(m->chain.l[m->chain.n - 1].file), "qcow2");
	qimg_close(&q);
	fds[0] = loop_attach(file, &opts, dev);
	fds[1] = -1;
	strcpy(data, "-");
	if (comma)
		fds[1] = loop_attach(comma + 1, &opts, data);
	free(file);
}

static void do_snapshot(struct mgmt *m)
{
	bool quiet = rng_below(&m->rng, 3) == 0;
	unsigned int before;
	uint64_t from, to;
	char dev[32];
	char data[32];
	int fds[2];
	int err;

	if (m->spare == m->s->n_spares || !read_chain(m))
		return;
	before = m->chain.n;
	attach_spare(m, dev, data, fds);
	if (quiet)
		writers_hold(m->s);
	from = atomic_fetch_add(&m->s->clock, 1);
	err = dm_message(m->s->name, "snapshot qcow2 %s %s", dev, data);
	to = atomic_fetch_add(&m->s->clock, 1);
	if (quiet)
		writers_release(m->s);
	close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
	stress_note(m->s, "snapshot %s%s: %s", dev, quiet ? " (writers held)" : "",
		    err ? strerror(err) : "done");
	if (err) {
		stress_fail(m->s, "snapshot: %s", strerror(err));
		return;
	}
	if (!read_chain(m))
		return;
	if (m->chain.n != before + 1)
		stress_fail(m->s, "%u layers after the snapshot", m->chain.n);
	else
		check_frozen(m, from, to);
}

static void op_snapshot(struct mgmt *m)
{
	int err;

	if (!poll_job(m)) {
		do_snapshot(m);
		return;
	}
	/* not while a job is there: try with something that would not do either way */
	err = dm_message(m->s->name, "snapshot qcow2 /dev/mapper/%s -", m->s->name);
	if (!err || (err != EBUSY && poll_job(m)))
		stress_fail(m->s, "snapshot during a job: %s", strerror(err));
}

static void op_stream(struct mgmt *m)
{
	uint64_t speed = rng_below(&m->rng, 2) ? (1 + rng_below(&m->rng, 32)) << 20 : 0;
	char base[16];
	int err;

	if (poll_job(m) || !read_chain(m) || m->chain.n < 2)
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
	err = dm_message(m->s->name, "stream speed %" PRIu64, speed);
	stress_note(m->s, "stream, base %s of %u layers, speed %" PRIu64 ": %s", base, m->chain.n,
		    speed, err ? strerror(err) : "started");
	if (err) {
		stress_fail(m->s, "stream: %s", strerror(err));
		return;
	}
	m->job = true;
	m->paused = false;
	m->cancelled = false;
}

static void op_cancel(struct mgmt *m)
{
	if (!poll_job(m))
		return;
	m->cancelled = true;
	job_message(m, "job-cancel");
	m->paused = false;
	wait_job(m);
}

static void op_pause(struct mgmt *m)
{
	if (!poll_job(m))
		return;
	job_message(m, m->paused ? "job-resume" : "job-pause");
	m->paused = !m->paused;
}

static void op_speed(struct mgmt *m)
{
	char text[64];

	if (!poll_job(m))
		return;
	snprintf(text, sizeof(text), "job-set-speed %" PRIu64, rng_below(&m->rng, 64) << 20);
	job_message(m, text);
}

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

/* After a reload the job is either still there, or it ended with the old table. */
static void settle_job(struct mgmt *m)
{
	struct job_status st;

	if (m->job && get_status(m, &st) && !st.present) {
		stress_note(m->s, "the job ended with the old table");
		m->job = false;
		m->paused = false;
	}
}

static void op_reload(struct mgmt *m)
{
	bool job = poll_job(m);
	char before[TABLE_LEN];
	char after[TABLE_LEN];
	uint64_t sectors;
	int err;

	err = dm_table(m->s->name, before, sizeof(before), &sectors);
	if (!err)
		err = dm_reload(m->s->name, sectors, before);
	if (!err)
		err = dm_suspend(m->s->name, rng_below(&m->rng, 2));
	if (!err) {
		err = dm_resume(m->s->name);
		/* a device left suspended would hang the writers: let them see the old table */
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
	settle_job(m);
	if (!job && (dm_table(m->s->name, after, sizeof(after), NULL) || strcmp(before, after)))
		stress_fail(m->s, "the table changed in a reload: %s, was %s", after, before);
}

static const struct {
	const char *name;
	void (*fn)(struct mgmt *m);
	unsigned int weight;
} verbs[] = {
	{ "snapshot", op_snapshot, 4 },
	{ "stream", op_stream, 4 },
	{ "cancel", op_cancel, 1 },
	{ "pause", op_pause, 2 },
	{ "speed", op_speed, 1 },
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

/* Lets the writers do some more operations, so that a seed gives the same proportions anywhere. */
static void let_write(struct mgmt *m)
{
	uint64_t until = m->s->next + 2 + rng_below(&m->rng, 30);

	while (m->s->running && !m->s->failed && m->s->next < until)
		usleep(500);
}

static void finish(struct mgmt *m)
{
	wait_job(m);
	if (!read_chain(m))
		return;
	fprintf(m->manifest, "check %s\n", leaf(m->chain.l[m->chain.n - 1].file));
	fprintf(m->manifest, "compare %s %s.model\n", leaf(m->chain.l[m->chain.n - 1].file),
		leaf(m->chain.l[m->chain.n - 1].file));
}

void *mgmt_thread(void *arg)
{
	struct mgmt *m = xalloc(sizeof(*m));
	char path[512];

	m->s = arg;
	m->rng.state = mix64(m->s->seed ^ 0x6d676d74);
	snprintf(path, sizeof(path), "%s/manifest", m->s->out);
	m->manifest = fopen(path, "a");
	if (!m->manifest)
		die("%s: %s", path, strerror(errno));
	while (m->s->running && !m->s->failed) {
		let_write(m);
		one_verb(m);
	}
	if (!m->s->failed)
		finish(m);
	if (fclose(m->manifest))
		die("%s: cannot write", path);
	if (!m->s->failed)
		snprintf(path, sizeof(path), "%s/%s.model", m->s->out,
			 leaf(m->chain.l[m->chain.n - 1].file));
	if (!m->s->failed)
		model_check_moment(m->s, m->s->dev, m->s->clock, m->s->clock, path);
	free(m);
	return NULL;
}
