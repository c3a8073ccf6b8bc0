// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultwalk: steps that create, suspend, reload and remove the chain.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dm.h"
#include "files.h"
#include "step.h"
#include "steps-table.h"
#include "verdict.h"

const char *layer_dev(const struct walk *w, unsigned int file, char *buf, size_t len)
{
	snprintf(buf, len, "/dev/mapper/cct-f%u", w->files[file].id);
	return buf;
}

static size_t add_layer(struct walk *w, unsigned int i, char *params, size_t len)
{
	char dev[64], data[64];
	bool ext = has_data(w, i);

	return snprintf(params, len, " %s %s %s", i ? "qcow2" : "raw", layer_dev(w, i, dev, sizeof(dev)),
			ext ? layer_dev(w, FIRST_DATA + i - FIRST_TOP, data, sizeof(data)) : "-");
}

void table_short(struct walk *w, unsigned int below, unsigned int top, const char *features, char *params,
		 size_t len)
{
	size_t at = snprintf(params, len, "%s %u", features, below + 1);
	unsigned int i;

	for (i = 0; i < below; i++)
		at += add_layer(w, i, params + at, len - at);
	add_layer(w, top, params + at, len - at);
}

void table_for(struct walk *w, unsigned int top, const char *features, char *params, size_t len)
{
	table_short(w, top, top, features, params, len);
}

static int do_create(struct walk *w, const struct step *s)
{
	(void)w;
	(void)s;
	return dm_create_empty(NAME);
}

static int do_load(struct walk *w, const struct step *s)
{
	return dm_reload(NAME, w->model.sectors, s->text);
}

static int do_resume(struct walk *w, const struct step *s)
{
	(void)w;
	(void)s;
	return dm_resume(NAME);
}

static int do_suspend(struct walk *w, const struct step *s)
{
	(void)w;
	(void)s;
	return dm_suspend(NAME, false);
}

void walk_open(struct walk *w)
{
	w->dev = open("/dev/mapper/" NAME, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (w->dev < 0)
		wrong(w, "the device cannot be opened: %s", strerror(errno));
}

void step_create_params(struct walk *w, const char *params)
{
	struct step create = { .what = "create", .fn = do_create };
	struct step load = { .what = "load", .fn = do_load, .text = params, .flags = S_FRESH };
	struct step resume = {
		.what = "first resume", .fn = do_resume, .flags = S_SYNC | S_FRESH,
	};

	w->broken = false;
	if (step_run(w, &create))
		return;
	w->created = true;
	if (step_run(w, &load) || step_run(w, &resume))
		return;
	walk_open(w);
}

void step_create(struct walk *w, unsigned int top, const char *features)
{
	char params[PARAMS];

	w->top = top;
	w->layers = top + 1;
	w->features = features;
	table_for(w, top, features, params, sizeof(params));
	step_create_params(w, params);
}

/* An error is reported only in the log and by the mode; without one, all is durable. */
void step_suspend(struct walk *w)
{
	struct step s = { .what = "suspend", .fn = do_suspend, .flags = S_HIDES };
	struct hit before, after;

	if (w->dev < 0)
		return;
	fault_look(w->fault.kind, &before);
	step_run(w, &s);
	fault_look(w->fault.kind, &after);
	if (!w->broken && before.failed == after.failed)
		fmodel_flush(&w->model, 0, w->model.sectors);
}

/* With errors that do not end, there is no more I/O, because it would wait forever. */
static void leave_suspended(struct walk *w)
{
	close(w->dev);
	w->dev = -1;
}

void step_resume(struct walk *w)
{
	struct step s = { .what = "resume", .fn = do_resume, .flags = S_SYNC };

	if (w->dev >= 0 && step_run(w, &s))
		leave_suspended(w);
}

/*
 * What a failed commit on suspend has lost is not passed on to the new table, which reads what is
 * on disk.
 */
void step_reload(struct walk *w)
{
	struct step load = { .what = "reload", .fn = do_load, .flags = S_FRESH };
	struct step resume = {
		.what = "resume of the new table", .fn = do_resume, .flags = S_SYNC | S_FRESH,
	};
	char params[PARAMS];

	if (w->dev < 0)
		return;
	if (dm_table(NAME, params, sizeof(params), NULL)) {
		wrong(w, "no table");
		return;
	}
	load.text = params;
	if (step_run(w, &load))
		return;
	step_suspend(w);
	if (w->broken)
		fmodel_lose(&w->model);
	w->owed = w->broken;
	w->broken = false;
	if (step_run(w, &resume))
		leave_suspended(w);
	else
		look_mode(w);
}

void step_remove(struct walk *w)
{
	struct hit before, after;
	int err;

	if (w->dev >= 0)
		close(w->dev);
	w->dev = -1;
	if (!w->created)
		return;
	look_mode(w);
	fault_look(w->fault.kind, &before);
	err = dm_remove(NAME);
	fault_look(w->fault.kind, &after);
	if (err) {
		wrong(w, "the device cannot be removed: %s", strerror(err));
		return;
	}
	w->created = false;
	if (w->broken || after.failed > before.failed)
		fmodel_lose(&w->model);
	else
		fmodel_flush(&w->model, 0, w->model.sectors);
	w->broken = false;
}
