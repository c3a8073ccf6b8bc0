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

void commit_freeze(struct replay *r)
{
	int base = lookup_base(r);

	/* only the first one: nothing of this may change in those that follow */
	if (r->frozen[1] || !heads_begun(r, "commit"))
		return;
	/* the guest writes to the top while that is committed */
	if (!r->active)
		r->frozen[0] = lookup_values(r, r->n_tops - 2);
	r->frozen[1] = lookup_values(r, base);
	r->frozen_generation = base < 0 ? 0 : r->head[base].ident.generation;
}

static bool check_equal(struct replay *r, int top, const uint32_t *want, const char *what)
{
	uint32_t *v = lookup_values(r, top);
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
