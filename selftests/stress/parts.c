// SPDX-License-Identifier: GPL-2.0-only
/*
 * chainstress: which layers have a part of what another has, since a commit of that was cancelled.
 * Such a layer is right only below that one.
 */
#include <stdio.h>
#include <string.h>

#include "parts.h"

static int find(const struct parts *l, const char *base)
{
	unsigned int i;

	for (i = 0; i < l->n; i++)
		if (!strcmp(l->p[i].base, base))
			return i;
	return -1;
}

void parts_begin(struct parts *l, const struct layer *base, const struct layer *top)
{
	int i = find(l, base->file);

	/* a raw disk cannot say so */
	if (strcmp(base->kind, "qcow2"))
		return;
	if (i < 0 && l->n == MAX_PARTS)
		die("too many commits were cancelled");
	if (i < 0)
		i = l->n++;
	snprintf(l->p[i].base, sizeof(l->p[i].base), "%s", base->file);
	snprintf(l->p[i].top, sizeof(l->p[i].top), "%s", top->file);
	l->p[i].sure = true;
}

void parts_end(struct parts *l, const struct layer *base)
{
	int i = find(l, base->file);

	if (i >= 0)
		l->p[i] = l->p[--l->n];
}

void parts_unsure(struct parts *l, const struct layer *base)
{
	int i = find(l, base->file);

	if (i >= 0)
		l->p[i].sure = false;
}

/* The place in the chain, or -1. */
static int place(const struct chain *c, const char *file)
{
	unsigned int i;

	for (i = 0; i < c->n; i++)
		if (!strcmp(c->l[i].file, file))
			return i;
	return -1;
}

static enum refusal worst(enum refusal a, bool refused, bool sure)
{
	enum refusal b = !refused ? MUST_WORK : sure ? MUST_REFUSE : MAY_REFUSE;

	return a > b ? a : b;
}

enum refusal parts_commit(const struct parts *l, const struct chain *c, int base, int top)
{
	enum refusal r = MUST_WORK;
	unsigned int i;

	for (i = 0; i < l->n; i++) {
		int part = place(c, l->p[i].base), whole = place(c, l->p[i].top);

		if (part < 0 || whole < part || part > top)
			continue;
		r = worst(r, part < base ? whole > base && whole <= top : whole > top,
			  l->p[i].sure);
	}
	return r;
}

enum refusal parts_stream(const struct parts *l, const struct chain *c, int base)
{
	enum refusal r = MUST_WORK;
	unsigned int i;

	for (i = 0; i < l->n; i++) {
		int part = place(c, l->p[i].base), whole = place(c, l->p[i].top);

		if (part < 0 || part > base)
			continue;
		r = worst(r, whole > base && whole < (int)c->n - 1, l->p[i].sure);
	}
	return r;
}
