// SPDX-License-Identifier: GPL-2.0-only
/*
 * chainstress: snapshots, each checked at once against the log of the writers.
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
#include "mgmt-job.h"
#include "mgmt-snapshot.h"
#include "model.h"
#include "qimg.h"
#include "report.h"
#include "writer.h"

void mgmt_claim(struct mgmt *m, const struct layer *top)
{
	char model[300];

	snprintf(model, sizeof(model), "%s.model", chain_leaf(top->file));
	claim(&m->claims, top->file, model);
}

/* Checks the layers below the new top against the log and exports them as a model. */
static void check_frozen(struct mgmt *m, uint64_t from, uint64_t to)
{
	const struct layer *top = &m->chain.l[m->chain.n - 2];
	char params[CHAIN_TABLE_LEN];
	char model[512];
	char name[64];
	char dev[96];
	int err;
	int fd;

	snprintf(name, sizeof(name), "%s-frozen", m->s->name);
	snprintf(dev, sizeof(dev), "/dev/mapper/%s", name);
	snprintf(model, sizeof(model), "%s/%s.model", m->s->out, chain_leaf(top->file));
	chain_print(&m->chain, m->chain.n - 1, params, sizeof(params));
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
			    chain_leaf(top->file), from, to);
	close(fd);
	err = dm_remove(name);
	if (err)
		stress_fail(m->s, "removing %s: %s", name, strerror(err));
	mgmt_claim(m, top);
}

/* Attaches the next spare layer. @fds: to be closed when the target has opened it. */
static void attach_spare(struct mgmt *m, char *dev, char *data, int fds[2])
{
	const struct loop_opts opts = { .autoclear = true };
	char *file = strdup(m->s->spares[m->spare++]);
	struct qimg q;
	char *comma;

	if (!file)
		die("out of memory");
	comma = strchr(file, ',');
	if (comma)
		*comma = 0;
	qimg_open(&q, file, true);
	qimg_set_backing(&q, chain_leaf(m->chain.l[m->chain.n - 1].file), "qcow2");
	qimg_close(&q);
	fds[0] = loop_attach(file, &opts, dev);
	fds[1] = -1;
	strcpy(data, "-");
	if (comma)
		fds[1] = loop_attach(comma + 1, &opts, data);
	free(file);
}

/*
 * At once, or in two steps, between which it may be given up: then it is done once more.
 */
static int send_snapshot(struct mgmt *m, const char *dev, const char *data, uint64_t *from)
{
	bool in_two = rng_below(&m->rng, 2);
	bool twice = in_two && rng_below(&m->rng, 4) == 0;
	int err = 0;

	if (twice)
		err = dm_message(m->s->name, "snapshot-prepare qcow2 %s %s", dev, data);
	if (!err && twice)
		err = dm_message(m->s->name, "snapshot-abort");
	if (!err && in_two)
		err = dm_message(m->s->name, "snapshot-prepare qcow2 %s %s", dev, data);
	if (err)
		return err;
	*from = atomic_fetch_add(&m->s->clock, 1);
	if (in_two)
		return dm_message(m->s->name, "snapshot-commit");
	return dm_message(m->s->name, "snapshot qcow2 %s %s", dev, data);
}

static void do_snapshot(struct mgmt *m)
{
	bool quiet = rng_below(&m->rng, 3) == 0;
	bool job = mgmt_job_runs(m);
	unsigned int before;
	uint64_t from = 0, to;
	char dev[32];
	char data[32];
	int fds[2];
	int err;

	if (m->spare == m->s->n_spares || !chain_read(m->s, &m->chain))
		return;
	before = m->chain.n;
	attach_spare(m, dev, data, fds);
	if (quiet)
		writers_hold(m->s);
	err = send_snapshot(m, dev, data, &from);
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
	/* A stream goes on into what was the top, which nobody else may read before that ends. */
	if (job) {
		m->above++;
		return;
	}
	if (!chain_read(m->s, &m->chain))
		return;
	if (m->chain.n != before + 1)
		stress_fail(m->s, "%u layers after the snapshot", m->chain.n);
	else
		check_frozen(m, from, to);
}

void mgmt_snapshot(struct mgmt *m)
{
	int err;

	if (!mgmt_job_runs(m) || !m->commit) {
		do_snapshot(m);
		return;
	}
	/* refused during a commit; the device would not be accepted otherwise, either */
	err = dm_message(m->s->name, "snapshot qcow2 /dev/mapper/%s -", m->s->name);
	if (!err || (err != EBUSY && mgmt_job_runs(m)))
		stress_fail(m->s, "snapshot during a commit: %s", strerror(err));
}
