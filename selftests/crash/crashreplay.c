// SPDX-License-Identifier: GPL-2.0-only
/*
 * crashreplay: visits the points of a log at which the power could have been lost.
 *
 *	crashreplay [--seed N] [--random N] [--least N] [--export DIR --step N] DIRECTORY
 *
 * DIRECTORY has first.img (the logged device before the run), log.img, trace, record and layout. A
 * point is
 *
 *	entry	everything up to a write is on disk
 *	flush	right after a flush, only what a flush or FUA has made durable is on disk
 *	mark	the same at a mark, where it is known what has to be on disk
 *	random	before a flush, some of what is not durable is on disk; writes may be torn between
 *		sectors
 *
 * Writes to one sector are never reordered, because a cache holds the younger one.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commit.h"
#include "export.h"
#include "heads.h"
#include "judge.h"
#include "sealed.h"
#include "state.h"

static unsigned int random_points = 4;
static const char *export_dir;
static uint64_t step = 1;
static uint64_t least = 1;
static uint64_t points, entries, flushes, marks, randoms, exported;

static void one_point(struct replay *r, const char *where, uint64_t *kind, bool durable)
{
	char name[1024];

	r->where = where;
	(*kind)++;
	if (!judge(r, durable) || !export_dir || points++ % step)
		return;
	snprintf(name, sizeof(name), "%s/p%05" PRIu64 "-%s", export_dir, points - 1, where);
	export_point(r, name);
	exported++;
}

/* Applies all that was written, durable or not. */
static void apply_pending(struct replay *r)
{
	uint32_t i;

	for (i = 0; i < r->n_pending; i++)
		state_apply(r, &r->log.e[r->pending[i]], false);
}

static void written_point(struct replay *r)
{
	state_try(r);
	apply_pending(r);
	heads_saw(r);
	one_point(r, "entry", &entries, false);
	state_undo(r);
}

/* Loses most, half or little of what is not durable; the rest may be torn. */
static void random_point(struct replay *r)
{
	uint64_t keep = 1 + rng_below(&r->rng, 7);
	uint64_t tear = rng_below(&r->rng, 3);
	uint32_t i;

	state_try(r);
	for (i = 0; i < r->n_pending; i++)
		if (rng_below(&r->rng, 8) < keep)
			state_apply(r, &r->log.e[r->pending[i]],
				    tear && !rng_below(&r->rng, 1 + tear));
	one_point(r, "random", &randoms, false);
	state_undo(r);
}

static void do_flush(struct replay *r, const struct entry *e)
{
	uint32_t i, kept = 0;
	unsigned int k;

	for (k = 0; r->n_pending && k < random_points; k++)
		random_point(r);
	r->flushes++;
	for (i = 0; i < r->n_pending; i++) {
		const struct entry *p = &r->log.e[r->pending[i]];

		if (e->slices & 1u << p->slice)
			state_apply(r, p, false);
		else
			r->pending[kept++] = r->pending[i];
	}
	r->n_pending = kept;
	heads_settled(r, e->slices);
	one_point(r, "flush", &flushes, true);
}

static void do_mark(struct replay *r, const struct entry *e)
{
	if (!e->mark && !strncmp(e->text, "fs-", 3))
		r->text = e->text;
	if (e->mark == 'b' || e->mark == 'd')
		(e->mark == 'b' ? r->begun : r->done)[e->a] = true;
	if (e->mark == 'b')
		state_begun(r);
	model_floor(&r->model, e);
	commit_freeze(r);
	sealed_freeze(r);
	one_point(r, "mark", &marks, true);
}

static void do_write(struct replay *r, const struct entry *e)
{
	if (e->fua) {
		state_apply(r, e, false);
		heads_saw(r);
	} else {
		r->pending[r->n_pending++] = e - r->log.e;
	}
	written_point(r);
}

/* All that precedes the next mark in the log was submitted before that mark was set. */
static void set_upper(struct replay *r)
{
	uint32_t i;

	r->model.upper = UINT64_MAX;
	for (i = r->at; i < r->log.n; i++) {
		const struct entry *e = &r->log.e[i];

		if (e->kind != E_MARK || !e->mark)
			continue;
		if (e->n >= r->model.n_marks)
			die("the log has more marks than the record");
		r->model.upper = r->model.mark_tick[e->n];
		return;
	}
}

static void run(struct replay *r)
{
	heads_saw(r);
	for (r->at = 0; r->at < r->log.n; r->at++) {
		const struct entry *e = &r->log.e[r->at];

		set_upper(r);
		switch (e->kind) {
		case E_WRITE:
		case E_DISCARD:
			do_write(r, e);
			break;
		case E_FLUSH:
			do_flush(r, e);
			break;
		case E_MARK:
			do_mark(r, e);
			break;
		}
	}
}

static void usage(void)
{
	fputs("usage: crashreplay [--seed N] [--random N] [--least N] [--export DIR --step N] DIRECTORY\n"
	      "  --seed N    of the random points, default 1\n"
	      "  --random N  before each flush, default 4\n"
	      "  --least N   fewer points than that are a failure\n"
	      "  --export DIR --step N  the images of every N-th point, for other tools to check\n", stderr);
	exit(2);
}

static void parse_options(struct replay *r, int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", 1, NULL, 's' }, { "random", 1, NULL, 'r' }, { "export", 1, NULL, 'e' },
		{ "step", 1, NULL, 'n' }, { "least", 1, NULL, 'l' }, { NULL, 0, NULL, 0 },
	};
	int o;

	r->rng.state = 1;
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case 's':
			r->rng.state = parse_size(optarg, 0);
			break;
		case 'r':
			random_points = parse_size(optarg, 0);
			break;
		case 'e':
			export_dir = optarg;
			break;
		case 'n':
			step = parse_size(optarg, 0);
			break;
		case 'l':
			least = parse_size(optarg, 0);
			break;
		default:
			usage();
		}
	}
	if (optind != argc - 1 || !step)
		usage();
}

/* A recording that has lost its writes, flushes or marks has tested nothing. */
static void enough_points(struct replay *r)
{
	if (entries && flushes && marks && (randoms || !random_points) &&
	    entries + flushes + marks + randoms >= least)
		return;
	printf("# FAILED: too few points\n");
	r->bad++;
}

int main(int argc, char **argv)
{
	struct replay *r = xalloc(sizeof(*r));

	parse_options(r, argc, argv);
	r->text = "";
	state_load(r, argv[optind]);
	run(r);
	printf("# log: %" PRIu64 " writes, %" PRIu64 " discards, %" PRIu64 " flushes (%" PRIu64
	       " at once with another device's), %" PRIu64 " marks; %" PRIu64
	       " writes reordered\n", r->log.writes, r->log.discards, r->log.flushes,
	       r->log.unclear, r->log.marks, r->log.moved);
	printf("# %" PRIu64 " points: %" PRIu64 " entries, %" PRIu64 " flushes, %" PRIu64
	       " marks, %" PRIu64 " random\n", entries + flushes + marks + randoms, entries,
	       flushes, marks, randoms);
	enough_points(r);
	if (export_dir)
		printf("# %" PRIu64 " points exported\n", exported);
	if (r->bad)
		printf("# FAILED: %" PRIu64 " times\n", r->bad);
	return r->bad ? 1 : 0;
}
