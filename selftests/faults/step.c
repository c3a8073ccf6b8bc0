// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultwalk: runs the steps of a scenario.
 */
#include <string.h>

#include "scenarios.h"
#include "step.h"
#include "verdict.h"

int step_once(struct walk *w, const struct step *s)
{
	bool was_broken = w->broken;
	struct hit before, after;
	bool hit;
	int err;

	w->steps++;
	fault_look(w->fault.kind, &before);
	err = s->fn(w, s);
	fault_look(w->fault.kind, &after);
	hit = after.failed > before.failed;
	if (hit || err)
		look_mode(w);
	if (err)
		verdict_failed(w, s, &after, hit, was_broken, err);
	else
		verdict_passed(w, s, &after, hit, was_broken);
	return err;
}

/* One attempt, in which the next allocation of @p fails. Return: true if there was such a one. */
static bool step_attempt(struct walk *w, const struct step *s, struct place *p, int *err)
{
	struct hit h;

	w->fault.nth = p->next;
	fault_arm(&w->fault);
	*err = step_once(w, s);
	fault_look(w->fault.kind, &h);
	fault_disarm(w->fault.kind);
	w->beats++;
	w->runs += h.failed;
	w->hits += h.failed;
	p->next += w->stride;
	p->done = !h.failed;
	return h.failed;
}

/*
 * Allocations are made by a step and for it, so those of one step are counted apart from those of
 * the others: a step that has failed is tried again with the next one failing, on the same device.
 * If it passed all the same, or if the failed attempt has left something behind that saves
 * allocations, the next one is for the next run. So a run has a fault in each step.
 */
static int step_in_place(struct walk *w, const struct step *s)
{
	struct place *p = &w->places[w->place++];
	bool hit = false;
	int err = 0;

	if (w->place > MAX_PLACES)
		die("%s: too many steps", w->scenario->name);
	do {
		if (!p->done)
			hit = step_attempt(w, s, p, &err);
		else
			err = step_once(w, s);
	} while (err && hit && !p->done && (s->flags & S_FRESH) && !w->failed);
	if (!err || !hit || w->failed)
		return err;
	err = step_once(w, s);
	if (err)
		wrong(w, "%s: %s also when it is tried again", s->what, strerror(err));
	return err;
}

int step_run(struct walk *w, const struct step *s)
{
	struct hit h;
	int err;

	if (w->in_place)
		return step_in_place(w, s);
	err = step_once(w, s);
	fault_look(w->fault.kind, &h);
	if (!err || (w->broken && (s->flags & S_WRITES)) || verdict_job_gone(s, &h, err))
		return err;
	err = step_once(w, s);
	if (err && one_shot(w) && !(w->broken && (s->flags & S_WRITES)))
		wrong(w, "%s: %s also when it is tried again", s->what, strerror(err));
	return err;
}
