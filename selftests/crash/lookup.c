// SPDX-License-Identifier: GPL-2.0-only
/*
 * crashreplay: where the chain has the data of a subcluster.
 */
#include <string.h>

#include "lookup.h"

const struct below *lookup_below(const struct replay *r, const char *name)
{
	unsigned int i;

	for (i = 0; i < r->n_below; i++)
		if (!strcmp(r->below[i].name, name))
			return &r->below[i];
	return NULL;
}

const struct slice *lookup_data(const struct top *t)
{
	return t->data ? t->data : t->meta;
}

struct found lookup(const struct replay *r, unsigned int i, const uint64_t *bitmap,
		    unsigned int sub)
{
	struct found f = { .top = -1 };
	int at = i, next;

	for (;;) {
		if (bitmap[at] >> sub & 1) {
			f.top = at;
			return f;
		}
		if (bitmap[at] >> (32 + sub) & 1) {
			f.zero = true;
			return f;
		}
		next = lookup_next(r, at);
		if (next < 0)
			break;
		at = next;
	}
	f.below = lookup_below(r, r->head[at].name);
	return f;
}

int lookup_next(const struct replay *r, unsigned int i)
{
	int k;

	for (k = i - 1; k >= 0; k--)
		if (!strcmp(r->head[i].name, r->top[k].meta->file))
			return k;
	return -1;
}

unsigned int lookup_first(const struct replay *r)
{
	return r->n_tops - 1 - model_snapshots(&r->model);
}

static bool commit_begun(const struct replay *r)
{
	int i = model_message(&r->model, "commit");

	return i >= 0 && r->begun[i];
}

int lookup_base(const struct replay *r)
{
	unsigned int i;

	for (i = 0; commit_begun(r) && i < r->n_tops - 1; i++)
		if (!strcmp(r->top[i].meta->file, r->final))
			return i;
	return -1;
}

bool lookup_pivoted(const struct replay *r)
{
	int base = lookup_base(r);

	return r->active && base >= 0 && r->head[base].ident.present &&
	       ident_may_be_top(&r->head[base].ident);
}

unsigned int lookup_active(const struct replay *r)
{
	unsigned int i = lookup_first(r);

	if (lookup_pivoted(r))
		return lookup_base(r);
	while (i < r->n_tops - 1 && r->head[i].ident.sealed)
		i++;
	return i;
}

uint32_t lookup_value(const struct replay *r, const struct found *f, uint32_t c,
		      uint32_t g)
{
	const struct top *t;

	if (f->zero)
		return V_ZERO;
	if (f->top < 0)
		return f->below ? f->below->value[g] : V_ZERO;
	t = &r->top[f->top];
	return r->value[lookup_data(t)->start + t->host[c] / SECTOR +
			g % ((1u << t->cluster_bits) / SECTOR)];
}

uint32_t *lookup_values(const struct replay *r, int top)
{
	const struct top *t = &r->top[top < 0 ? 0 : top];
	uint32_t per_cluster = (1u << t->cluster_bits) / SECTOR;
	uint32_t sectors = t->size / SECTOR, g;
	uint32_t *v = xalloc(sectors * sizeof(*v));
	uint64_t bitmap[MAX_TOPS];
	struct found f;
	int i;

	if (top < 0) {
		const struct below *b = lookup_below(r, r->final);

		if (!b)
			die("%s is no layer that is replayed", r->final);
		memcpy(v, b->value, sectors * sizeof(*v));
		return v;
	}
	for (g = 0; g < sectors; g++) {
		for (i = 0; i <= top && g % per_cluster == 0; i++)
			top_entry(&r->top[i], g / per_cluster, &bitmap[i]);
		if (g % (per_cluster / 32) == 0)
			f = lookup(r, top, bitmap, g % per_cluster / (per_cluster / 32));
		v[g] = lookup_value(r, &f, g / per_cluster, g);
	}
	return v;
}
