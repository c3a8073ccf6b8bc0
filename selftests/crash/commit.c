// SPDX-License-Identifier: GPL-2.0-only
/*
 * crashreplay: what is committed, whatever of it is in the base already.
 */
#include <stdlib.h>
#include <string.h>

#include "commit.h"
#include "heads.h"
#include "lookup.h"
#include "report.h"

/* The values of the disk as top @top shows it; -1: as the raw base does. */
static uint32_t *values_of(const struct replay *r, int top)
{
	const struct top *t = &r->top[top < 0 ? 0 : top];
	uint32_t per_cluster = (1u << t->cluster_bits) / SECTOR;
	uint32_t sectors = t->size / SECTOR, g;
	uint32_t *v = xalloc(sectors * sizeof(*v));
	uint64_t bitmap[MAX_TOPS];
	struct found f;
	int i;

	if (top < 0) {
		memcpy(v, lookup_below(r, r->final)->value, sectors * sizeof(*v));
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

void commit_freeze(struct replay *r)
{
	int base = lookup_base(r);

	/* only the first one: nothing of this may change in those that follow */
	if (r->frozen[1] || !heads_begun(r, "commit"))
		return;
	/* the guest writes to the top while that is committed */
	if (!r->active)
		r->frozen[0] = values_of(r, r->n_tops - 2);
	r->frozen[1] = values_of(r, base);
	r->frozen_generation = base < 0 ? 0 : r->head[base].ident.generation;
}

static bool check_equal(struct replay *r, int top, const uint32_t *want, const char *what)
{
	uint32_t *v = values_of(r, top);
	uint32_t sectors = r->top[0].size / SECTOR, g;

	for (g = 0; g < sectors && v[g] == want[g]; g++)
		;
	free(v);
	return g == sectors || complain(r, "%s: sector %u has changed", what, g);
}

/*
 * Whatever the commit has written, what is committed reads the same in the layers that have it, and
 * in the base once the top is on that. The base does not change before it says so, or others that
 * were made for it would not be refused.
 */
bool commit_check(struct replay *r)
{
	bool ended = r->frozen[1] && !strcmp(r->head[r->n_tops - 1].name, r->final);
	int base = lookup_base(r);

	if (!r->frozen[1])
		return true;
	if (r->active)
		return r->head[base].ident.generation != r->frozen_generation ||
		       check_equal(r, base, r->frozen[1], "the base, before it is a target");
	if (!check_equal(r, r->n_tops - 2, r->frozen[0], "the layers that are committed"))
		return false;
	if (ended)
		return check_equal(r, base, r->frozen[0], "the base, after the commit");
	return base < 0 || r->head[base].ident.generation != r->frozen_generation ||
	       check_equal(r, base, r->frozen[1], "the base, before it is a target");
}
