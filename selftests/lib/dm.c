// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device-mapper calls by libdevmapper.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libdevmapper.h>

#include "common.h"
#include "dm.h"

static void no_log(int level, const char *file, int line, int err, const char *fmt, ...)
{
	(void)level;
	(void)file;
	(void)line;
	(void)err;
	(void)fmt;
}

void dm_quiet(void)
{
	dm_log_with_errno_init(no_log);
}

static struct dm_task *task(int type, const char *name)
{
	struct dm_task *t = dm_task_create(type);

	if (!t || !dm_task_set_name(t, name))
		die("libdevmapper: no task");
	return t;
}

/* Runs and frees @t. */
static int run(struct dm_task *t)
{
	int err = 0;

	if (!dm_task_run(t)) {
		err = dm_task_get_errno(t);
		err = err ? err : EIO;
	}
	dm_task_destroy(t);
	return err;
}

int dm_message(const char *name, const char *fmt, ...)
{
	struct dm_task *t = task(DM_DEVICE_TARGET_MSG, name);
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!dm_task_set_sector(t, 0) || !dm_task_set_message(t, text))
		die("libdevmapper: no message");
	return run(t);
}

/* The first target's parameters of a status or table task. */
static int query(int type, const char *name, char *params, size_t len, uint64_t *sectors)
{
	struct dm_task *t = task(type, name);
	uint64_t start, length;
	char *target = NULL;
	char *text = NULL;
	int err = 0;

	if (!dm_task_run(t)) {
		err = dm_task_get_errno(t);
		dm_task_destroy(t);
		return err ? err : EIO;
	}
	dm_get_next_target(t, NULL, &start, &length, &target, &text);
	if (!target || strcmp(target, "cowchain") || !text)
		err = ENODEV;
	else if (snprintf(params, len, "%s", text) >= (int)len)
		err = E2BIG;
	if (sectors)
		*sectors = length;
	dm_task_destroy(t);
	return err;
}

int dm_table(const char *name, char *params, size_t len, uint64_t *sectors)
{
	return query(DM_DEVICE_TABLE, name, params, len, sectors);
}

int dm_status(const char *name, struct job_status *st)
{
	char text[1024];
	char alloc[32];
	char total[24];
	unsigned int words;
	uint64_t speed;
	char type[16];
	char base[16];
	char verified[24];
	int n;
	int err = query(DM_DEVICE_STATUS, name, text, sizeof(text), NULL);

	memset(st, 0, sizeof(*st));
	if (err)
		return err;
	n = sscanf(text,
		   "%7s %u %*s %31[0-9-]/%23s %u %15s %15s %15s %" SCNu64 " %" SCNu64
		   " %" SCNu64 " %15s %d %23s %u", st->mode, &st->layers, alloc, total, &words, type,
		   st->state, base, &st->offset, &st->len, &speed, st->io_status, &st->error,
		   verified, &st->top);
	if ((n != 5 || words != 0) && (n != 15 || words != 10)) {
		fprintf(stderr, "# unexpected status: %s\n", text);
		return EPROTO;
	}
	st->present = words;
	/* "-" until the first resume */
	st->total = strtoull(total, NULL, 10);
	st->allocated = strcmp(alloc, "-") ? strtoull(alloc, NULL, 10) : UINT64_MAX;
	return 0;
}

int dm_suspend(const char *name, bool noflush)
{
	struct dm_task *t = task(DM_DEVICE_SUSPEND, name);

	if (noflush)
		dm_task_no_flush(t);
	dm_task_skip_lockfs(t);
	return run(t);
}

int dm_resume(const char *name)
{
	return run(task(DM_DEVICE_RESUME, name));
}

int dm_load(const char *name, const char *target, uint64_t sectors, const char *params)
{
	struct dm_task *t = task(DM_DEVICE_RELOAD, name);

	if (!dm_task_add_target(t, 0, sectors, target, params))
		die("libdevmapper: no target");
	return run(t);
}

int dm_reload(const char *name, uint64_t sectors, const char *params)
{
	return dm_load(name, "cowchain", sectors, params);
}

int dm_clear(const char *name)
{
	return run(task(DM_DEVICE_CLEAR, name));
}

int dm_create_empty(const char *name)
{
	struct dm_task *t = task(DM_DEVICE_CREATE, name);
	int err;

	dm_task_set_add_node(t, DM_ADD_NODE_ON_CREATE);
	err = run(t);
	dm_task_update_nodes();
	return err;
}

int dm_create(const char *name, const char *target, uint64_t sectors, const char *params,
	      bool readonly)
{
	struct dm_task *t = task(DM_DEVICE_CREATE, name);
	int err;

	if (!dm_task_add_target(t, 0, sectors, target, params) ||
	    (readonly && !dm_task_set_ro(t)))
		die("libdevmapper: no target");
	err = run(t);
	dm_task_update_nodes();
	return err;
}

int dm_create_ro(const char *name, uint64_t sectors, const char *params)
{
	return dm_create(name, "cowchain", sectors, params, true);
}

void dm_number(const char *name, char *number, size_t len)
{
	struct dm_task *t = task(DM_DEVICE_INFO, name);
	struct dm_info info;

	if (!dm_task_run(t) || !dm_task_get_info(t, &info) || !info.exists)
		die("%s: no such device", name);
	snprintf(number, len, "%u:%u", (unsigned int)info.major, (unsigned int)info.minor);
	dm_task_destroy(t);
}

int dm_remove(const char *name)
{
	int err = run(task(DM_DEVICE_REMOVE, name));

	dm_task_update_nodes();
	return err;
}
