// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes snapshots of several chains: prepares each, freezes what uses them, and has the kernel commit them
 * together.
 */
#include <stdlib.h>

#include "devno.h"
#include "freeze.h"
#include "group.h"
#include "hold.h"
#include "live.h"
#include "util.h"

struct member {
	const struct snapshot *snap;
	dev_t dev;
	struct live live;
	struct snapshot_new new;
	bool prepared;
};

struct members {
	struct member *m;
	size_t nr;
	size_t opened;
	size_t made;
};

/* ---- the devices ---- */

static int find_numbers(struct members *all, const struct group *group)
{
	struct dm_device dev;
	size_t i;

	for (i = 0; i < group->nr; i++) {
		if (dm_open(dm_name(group->snaps[i].name), &dev))
			return -1;
		all->m[i].snap = &group->snaps[i];
		all->m[i].dev = dev.dev;
		dm_close(&dev);
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	return x->dev < y->dev ? -1 : x->dev > y->dev;
}

/* In the order of their numbers: two invocations must not wait for each other. */
static int open_all(struct members *all, const struct group *group)
{
	struct member *m = all->m;

	if (find_numbers(all, group))
		return -1;
	qsort(m, all->nr, sizeof(*m), by_number);
	for (all->opened = 0; all->opened < all->nr; m++) {
		if (all->opened && m->dev == m[-1].dev) {
			cc_error("%s: is named twice", m->snap->name);
			return -1;
		}
		if (live_open_alone(&m->live, m->snap->name))
			return -1;
		all->opened++;
		if (m->live.dev.dev != m->dev) {
			cc_error("%s: was replaced by another device meanwhile: try again", m->snap->name);
			return -1;
		}
	}
	return 0;
}

/* ---- the steps ---- */

static int prepare_all(struct members *all)
{
	size_t i;

	for (all->made = 0; all->made < all->nr; all->made++) {
		struct member *m = &all->m[all->made];

		if (snapshot_ready(m->snap, &m->live, &m->new))
			return -1;
	}
	for (i = 0; i < all->nr; i++) {
		if (snapshot_send(&all->m[i].new, "snapshot-prepare"))
			return -1;
		all->m[i].prepared = true;
	}
	return 0;
}

/* By their numbers, which stay when a device is renamed. */
static int commit(struct members *all)
{
	const char **words = xcalloc(all->nr + 1, sizeof(*words));
	char **numbers = xcalloc(all->nr, sizeof(*numbers));
	size_t i;
	int ret;

	words[0] = "snapshot-commit";
	for (i = 1; i < all->nr; i++)
		words[i] = numbers[i] = devno_format(all->m[i].dev);
	ret = dm_message(all->m[0].live.dev.name, words);
	for (i = 1; i < all->nr; i++)
		free(numbers[i]);
	free(numbers);
	free(words);
	return ret;
}

/* After most errors of a commit, and when their time is over, they are not prepared any more. */
static void abort_all(struct members *all)
{
	static const char *const words[] = { "snapshot-abort", NULL };
	size_t i;

	cc_mute(true);
	for (i = 0; i < all->nr; i++)
		if (all->m[i].prepared)
			dm_message(all->m[i].live.dev.name, words);
	cc_mute(false);
}

static int find_mounts(const struct members *all, struct freeze *freeze)
{
	size_t i;

	for (i = 0; i < all->nr; i++)
		if (freeze_add(freeze, all->m[i].dev))
			return -1;
	if (!freeze->nr)
		cc_note("no file system is mounted from %s", all->nr == 1 ? "the device" : "the devices");
	return 0;
}

/* The snapshots stand also if what was frozen cannot be thawed. */
static int freeze_and_commit(struct members *all, struct freeze *freeze, bool *thawed)
{
	int ret = freeze_begin(freeze);

	if (!ret && hold_interrupted())
		ret = -1;
	if (!ret)
		ret = commit(all);
	*thawed = !freeze_end(freeze);
	return ret;
}

/* Within a hold. */
static int take(struct members *all, const struct group *group)
{
	struct freeze freeze = { .hook = group->hook };
	bool thawed = true;
	size_t i;
	int ret = prepare_all(all);

	if (!ret && group->freeze)
		ret = find_mounts(all, &freeze);
	if (!ret)
		ret = freeze_and_commit(all, &freeze, &thawed);
	freeze_free(&freeze);
	if (ret)
		abort_all(all);
	for (i = 0; i < all->made; i++)
		snapshot_end(&all->m[i].new, !ret);
	if (!ret && !thawed)
		cc_note("all snapshots were taken nevertheless");
	return ret || !thawed ? -1 : 0;
}

int group_take(const struct group *group)
{
	struct members all = { .nr = group->nr };
	int ret;

	all.m = xcalloc(all.nr, sizeof(*all.m));
	ret = open_all(&all, group);
	if (!ret) {
		hold_begin();
		ret = take(&all, group);
		hold_end();
	}
	while (all.opened)
		live_close(&all.m[--all.opened].live);
	free(all.m);
	return ret;
}
