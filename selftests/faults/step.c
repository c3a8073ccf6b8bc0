// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultwalk: runs the steps of a scenario.
 */
#include <string.h>

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

int step_run(struct walk *w, const struct step *s)
{
	int err = step_once(w, s);
	struct hit h;

	fault_look(w->fault.kind, &h);
	if (!err || (w->broken && (s->flags & S_WRITES)) || verdict_job_gone(s, &h, err))
		return err;
	err = step_once(w, s);
	if (err && one_shot(w) && !(w->broken && (s->flags & S_WRITES)))
		wrong(w, "%s: %s also when it is tried again", s->what, strerror(err));
	return err;
}
