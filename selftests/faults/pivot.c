// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultwalk: a commit of the top itself, after which the base is the top.
 */
#include <string.h>

#include "dm.h"
#include "pivot.h"
#include "steps-table.h"
#include "verdict.h"

void pivot_expect(struct walk *w)
{
	struct hit h;

	fault_look(w->fault.kind, &h);
	w->before_pivot = h.failed;
	w->top = w->base;
	w->layers = w->base + 1;
}

/* Loads a table for writing, which is never resumed, so nothing is written. Return: 0 or an errno. */
static int probe(struct walk *w, unsigned int top)
{
	char params[PARAMS];
	int err;

	table_for(w, top, "0", params, sizeof(params));
	err = dm_create_empty(NAME);
	if (err)
		return err;
	err = dm_reload(NAME, w->model.sectors, params);
	if (dm_remove(NAME))
		wrong(w, "the chain up to %s cannot be removed", w->files[top].name);
	return err;
}

void judge_right_chain(struct walk *w)
{
	bool old, now;

	if (!w->active || w->created)
		return;
	w->why = "which chain is right";
	old = !probe(w, w->old_top);
	now = !probe(w, w->base);
	/* the header that makes it the top could not be taken back */
	if (w->may_be_pivoted && !pivoted(w) && !old)
		pivot_expect(w);
	if (old && now && w->marked)
		wrong(w, "both chains can be written");
	if (pivoted(w) && old)
		wrong(w, "the old top can be written, though the base has taken its place");
	if (pivoted(w) ? !now : !old)
		wrong(w, "the chain up to %s is refused", w->files[w->top].name);
}
