// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultwalk: the runs of one scenario, with a fault at one place after the other.
 */
#include <stdio.h>
#include <string.h>

#include "files.h"
#include "judge.h"
#include "scenarios.h"
#include "sweep.h"
#include "verdict.h"

#define MAX_RUNS	5000
#define MAX_WRONG	6

/* Where the faults came: a number for each file, kind of I/O, and metadata or data. */
static uint64_t where[MAX_FILES][128][2];

/* Is each step of the scenario to have faults of its own? */
static bool in_place(const struct walk *w)
{
	return w->fault.kind != FAULT_IO && !w->scenario->whole;
}

static void count_hit(struct walk *w, const struct hit *h)
{
	const struct file *f = &w->files[h->id];

	w->hits += h->failed;
	if (w->fault.kind == FAULT_IO)
		where[h->id][(int)h->op][h->op == 'f' || h->sector * SECTOR >= f->meta_end]++;
}

/* Adds the time since the last call to @ms, for the summary. */
static void lap(struct walk *w, uint64_t *ms)
{
	uint64_t t = now_ms();

	if (ms)
		*ms += t - w->last_ms;
	w->last_ms = t;
}

/* The faults of a run come in @run of the scenario, one in each step or one in all. */
static void run_with_faults(struct walk *w, struct hit *h)
{
	w->in_place = in_place(w);
	if (w->in_place) {
		w->scenario->run(w);
		w->in_place = false;
		fault_look(w->fault.kind, h);
		return;
	}
	fault_arm(&w->fault);
	w->scenario->run(w);
	fault_look(w->fault.kind, h);
	w->hit = *h;
	fault_disarm(w->fault.kind);
	if (h->failed) {
		w->runs++;
		count_hit(w, h);
	}
}

/* Return: true if the fault came. */
static bool run_once(struct walk *w, const char *dir, struct hit *hit)
{
	struct hit h;

	w->failed = false;
	w->broken = false;
	w->created = false;
	w->policy = "enospc";
	w->backing = NULL;
	w->base = NO_FILE;
	w->lower = false;
	w->active = false;
	w->verify = false;
	w->marked = false;
	w->may_be_pivoted = false;
	w->before_pivot = 0;
	w->cancelled = false;
	w->cancel_again = false;
	w->may_be_paused = false;
	w->job_mark = 0;
	w->owed = false;
	w->may_be_sealed = false;
	w->shared = false;
	w->hit.failed = 0;
	w->place = 0;
	w->features = "0";
	fmodel_reset(&w->model);
	w->beats++;
	fault_disarm(w->fault.kind);
	w->why = "prepare";
	lap(w, NULL);
	w->scenario->prepare(w);
	if (w->failed)
		die("%s: not even without faults", w->scenario->name);
	w->why = w->scenario->says;
	lap(w, &w->ms_prepare);
	run_with_faults(w, &h);
	lap(w, &w->ms_run);
	judge(w, &h, dir);
	files_restore(w);
	lap(w, &w->ms_judge);
	*hit = h;
	return h.failed;
}

static void print_where(struct walk *w)
{
	unsigned int i;
	const char *op;

	for (i = 0; i < w->n_files; i++) {
		bool any = false;

		for (op = "rwfdz"; *op; op++) {
			uint64_t meta = where[i][(int)*op][0], data = where[i][(int)*op][1];

			if (!meta && !data)
				continue;
			printf("%s%s", any ? " " : "; ", any ? "" : w->files[i].name);
			any = true;
			if (*op == 'f')
				printf(" flush %llu", (unsigned long long)data);
			else
				printf(" %s %llu+%llu", *op == 'r' ? "read" : *op == 'w' ? "write" :
				       *op == 'd' ? "discard" : "zeroes", (unsigned long long)meta,
				       (unsigned long long)data);
		}
	}
	putchar('\n');
}

/* Are both of one kind, to one file, and both to metadata or both to data? */
static bool alike(const struct walk *w, const struct hit *a, const struct hit *b)
{
	return a->id == b->id && a->op == b->op &&
	       (a->sector * SECTOR < w->files[a->id].meta_end) ==
	       (b->sector * SECTOR < w->files[b->id].meta_end);
}

static void print_sum(struct walk *w, unsigned int bad)
{
	uint64_t n = w->runs ? w->runs : 1;

	printf("# %s/%s: %llu runs with %llu faults, %u wrong (%llu+%llu+%llu ms a run)",
	       w->scenario->name, w->form, (unsigned long long)w->runs,
	       (unsigned long long)w->hits, bad, (unsigned long long)(w->ms_prepare / n),
	       (unsigned long long)(w->ms_run / n), (unsigned long long)(w->ms_judge / n));
	print_where(w);
	fflush(stdout);
}

static bool places_left(const struct walk *w)
{
	unsigned int i;

	for (i = 0; i < w->place; i++)
		if (!w->places[i].done)
			return true;
	return false;
}

/* Runs until no step has an allocation that has not failed. Return: number of runs that went wrong. */
static unsigned int sweep_in_place(struct walk *w, const char *dir)
{
	unsigned int bad = 0, n = 0, i;
	struct hit hit;

	for (i = 0; i < MAX_PLACES; i++)
		w->places[i] = (struct place){ .next = w->first };
	do {
		run_once(w, dir, &hit);
		bad += w->failed;
	} while (++n < MAX_RUNS && bad < MAX_WRONG && places_left(w));
	if (n >= MAX_RUNS) {
		fprintf(stderr, "# FAILED: %s: no end of faults\n", w->scenario->name);
		bad++;
	}
	return bad;
}

/* The same with one fault in a run. */
static unsigned int sweep_whole(struct walk *w, const char *dir)
{
	struct hit last = { .failed = 0 }, hit;
	uint64_t stride = w->stride;
	unsigned int bad = 0;
	bool again = false;
	uint64_t n;

	for (n = w->first; n < MAX_RUNS && bad < MAX_WRONG; n += stride) {
		bool came;

		w->fault.nth = n;
		came = run_once(w, dir, &hit);
		bad += w->failed;
		/* it has fewer I/Os than that: begin with one that it has */
		if (!came && !w->hits && !again && hit.seen) {
			again = true;
			n = (n - 1) % hit.seen + 1 - stride;
			continue;
		}
		if (!came)
			break;
		stride = w->sparse && last.failed && alike(w, &last, &hit) ? 2 * stride : w->stride;
		last = hit;
	}
	if (n >= MAX_RUNS) {
		fprintf(stderr, "# FAILED: %s: no end of faults\n", w->scenario->name);
		bad++;
	}
	return bad;
}

unsigned int sweep(struct walk *w, const char *dir)
{
	unsigned int bad;

	memset(where, 0, sizeof(where));
	w->hits = 0;
	w->runs = 0;
	w->ms_prepare = w->ms_run = w->ms_judge = 0;
	bad = in_place(w) ? sweep_in_place(w, dir) : sweep_whole(w, dir);
	/* a walk without a fault has tested nothing; a stride over allocations may pass them all */
	if (!w->hits && w->fault.kind == FAULT_IO) {
		fprintf(stderr, "# FAILED: %s: no fault came\n", w->scenario->name);
		bad++;
	}
	print_sum(w, bad);
	w->all_hits += w->hits;
	return bad;
}
