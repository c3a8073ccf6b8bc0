// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultwalk: what has to hold after a run, and that everything works without faults.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm.h"
#include "export.h"
#include "files.h"
#include "jobs.h"
#include "judge.h"
#include "pivot.h"
#include "qimg.h"
#include "steps-io.h"
#include "steps-table.h"
#include "verdict.h"

/* Only a write or a flush of the top that failed can make the chain read-only. */
static void judge_mode(struct walk *w, const struct hit *h)
{
	struct job_status st;

	if (dm_status(NAME, &st)) {
		wrong(w, "no status");
		return;
	}
	w->broken = !strcmp(st.mode, "ro");
	if (!w->broken && strcmp(st.mode, "rw"))
		wrong(w, "the mode is %s", st.mode);
	/* not data that could not be written, nor an allocation: a commit has reserves */
	if (w->broken && !(h->op == 'w' && hit_meta(w, h)) && h->op != 'f' && w->fault.times == 1)
		wrong(w, "the mode is ro");
	w->may_be_pivoted = w->broken && pivot_unknown(w, h);
	if (w->broken && hit_only_base(w, h) && !w->may_be_pivoted)
		wrong(w, "the mode is ro after an error of the base of a commit");
	if (st.layers != w->layers)
		wrong(w, "%u layers, expected %u", st.layers, w->layers);
	if (st.present && strcmp(st.state, "concluded"))
		step_cancel_last(w, &st);
}

/* The header of that layer is to say so. */
static void judge_backing(struct walk *w, const char *dir, unsigned int layer, const char *now)
{
	const struct file *f = &w->files[layer];
	const char *names;
	char path[512];
	struct qimg q;

	snprintf(path, sizeof(path), "%s/%s", dir, f->name);
	qimg_open(&q, path, false);
	names = qimg_backing(&q);
	if (!now || strcmp(names, now))
		wrong(w, "the header of %s names '%s' as backing file, expected '%s'", f->name,
		      names, now ? now : "?");
	qimg_close(&q);
}

/* The headers describe the chain. */
static void judge_header(struct walk *w, const char *dir)
{
	unsigned int job = w->lower ? w->base : w->top;

	judge_backing(w, dir, job, w->layers == w->top + 1 ? w->files[job - 1].name : w->backing);
	if (w->lower)
		judge_backing(w, dir, w->top, w->files[w->top - 1].name);
}

/* The first layers, @below of them, and @last show the disk as it was at the snapshot. */
static void judge_shows(struct walk *w, unsigned int below, unsigned int last)
{
	size_t bytes = (size_t)w->model.sectors * SECTOR;
	uint8_t *disk = xalloc_io(bytes);
	char params[PARAMS];
	int err, fd;

	table_short(w, below, last, "1 ignore_identity", params, sizeof(params));
	err = dm_create_ro(NAME, w->model.sectors, params);
	if (err) {
		wrong(w, "no chain up to %s: %s", w->files[last].name, strerror(err));
		free(disk);
		return;
	}
	fd = open("/dev/mapper/" NAME, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0 || pread_full(fd, disk, bytes, 0))
		wrong(w, "the chain up to %s cannot be read", w->files[last].name);
	else if (!fmodel_read_frozen(&w->model, disk, w->files[last].name))
		wrong(w, "the chain up to %s is not what it was at the snapshot",
		      w->files[last].name);
	if (fd >= 0)
		close(fd);
	if (dm_remove(NAME))
		wrong(w, "the chain up to %s cannot be removed", w->files[last].name);
	free(disk);
}

static void judge_frozen(struct walk *w, unsigned int last)
{
	judge_shows(w, last, last);
}

/* What a stream has copied into is as it was, and once the stream has ended, without what goes. */
static void judge_lower(struct walk *w)
{
	if (!w->lower)
		return;
	w->why = "what was streamed into";
	judge_frozen(w, w->base);
	if (w->layers != w->top + 1)
		judge_shows(w, w->layers - (w->top - w->base) - 1, w->base);
}

/*
 * What was committed reads as before in the layers that had it: they shadow whatever is in the base,
 * also of an attempt that has failed. Once the commit has ended, the base has all of it.
 */
static void judge_commit(struct walk *w)
{
	if (w->base == NO_FILE || w->active || w->lower)
		return;
	w->why = "what was committed";
	judge_frozen(w, w->top - 1);
	if (w->layers != w->top + 1)
		judge_frozen(w, w->base);
}

/* Everything works without faults, with the last table. */
static void judge_afterwards(struct walk *w, const char *params, const char *dir)
{
	bool sampled = w->sample && w->runs % w->sample == 0;
	size_t bytes = (size_t)w->model.sectors * SECTOR;
	uint8_t *disk = xalloc_io(bytes);
	char unsealed[PARAMS];

	w->why = "afterwards";
	/* errors that did not end: the seal could not be removed */
	if (w->may_be_sealed && !strncmp(params, "0 ", 2)) {
		snprintf(unsealed, sizeof(unsealed), "1 allow_sealed %.*s",
			 (int)sizeof(unsealed) - 32, params + 2);
		params = unsealed;
	}
	step_create_params(w, params);
	if (w->dev < 0) {
		wrong(w, "the table that was there does not load again: %s", params);
		step_remove(w);
		free(disk);
		return;
	}
	if (w->cancel_again)
		step_cancel_again(w, params);
	else
		step_job_recorded(w);
	step_read_all(w);
	step_io(w, IO_WRITE, 100, 8);
	step_part(w, IO_FUA, 1501, 3);
	step_io(w, IO_ZERO, 900, 4);
	step_flush(w);
	step_part(w, IO_READ, 0, 256);
	if (sampled && pread_full(w->dev, disk, bytes, 0))
		wrong(w, "the disk cannot be read");
	step_remove(w);
	judge_header(w, dir);
	judge_commit(w);
	judge_lower(w);
	judge_right_chain(w);
	if (sampled && !w->failed)
		export_run(w, w->top, disk);
	free(disk);
}

/*
 * The target remembers that it could not read a table, for as long as the attempt has taken and a
 * second at most. So if errors did not end, reads may fail for a moment after they have ended. What
 * fails for longer is found by the steps that follow.
 */
static void outlive_errors(struct walk *w)
{
	size_t bytes = (size_t)w->model.sectors * SECTOR;
	uint64_t until = now_ms() + OUTLIVE_MS;
	uint8_t *disk;

	if (one_shot(w))
		return;
	disk = xalloc_io(bytes);
	while (pread_full(w->dev, disk, bytes, 0) == EIO && now_ms() < until)
		usleep(20000);
	free(disk);
}

void judge(struct walk *w, const struct hit *h, const char *dir)
{
	struct job_status st;
	char params[PARAMS];
	unsigned int was;

	w->why = "at the end";
	/* errors that did not end have left it suspended, or without a table */
	if (w->created && w->dev < 0) {
		if (dm_resume(NAME) || dm_status(NAME, &st))
			step_remove(w);
		else
			walk_open(w);
	}
	if (w->dev < 0) {
		table_for(w, w->top, w->features, params, sizeof(params));
	} else {
		judge_mode(w, h);
		outlive_errors(w);
		step_read_all(w);
		step_io(w, IO_WRITE, 64, 4);
		step_part(w, IO_WRITE, 1801, 3);
		if (dm_table(NAME, params, sizeof(params), NULL))
			wrong(w, "no table");
	}
	step_remove(w);
	files_check_lower(w);
	was = w->top;
	judge_right_chain(w);
	if (w->top != was)
		table_for(w, w->top, w->features, params, sizeof(params));
	judge_afterwards(w, params, dir);
}
