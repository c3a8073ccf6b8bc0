// SPDX-License-Identifier: GPL-2.0-only
/*
 * crashreplay: what a layer below the top shows never changes, whatever a stream has copied into it.
 */
#include <stdlib.h>

#include "lookup.h"
#include "report.h"
#include "sealed.h"

/* Has the snapshot been taken that put another top on the layer? */
static bool is_sealed(const struct replay *r)
{
	unsigned int i, n = r->job_top - lookup_first(r);

	for (i = 0; i < r->model.n_messages; i++)
		if (model_takes_snapshot(&r->model, i) && !n--)
			return r->done[i];
	return false;
}

void sealed_freeze(struct replay *r)
{
	if (r->into && !r->sealed && is_sealed(r))
		r->sealed = lookup_values(r, r->job_top);
}

/* An external data file is the disk as it was then, once no layer is below. */
static bool check_raw(struct replay *r, uint32_t sectors)
{
	const struct top *t = &r->top[r->job_top];
	uint32_t g;

	if (!t->data || *r->head[r->job_top].name)
		return true;
	for (g = 0; g < sectors; g++)
		if (r->value[t->data->start + g] != r->sealed[g])
			return complain(r, "%s: sector %u is not as in the image", t->data->file, g);
	return true;
}

bool sealed_check(struct replay *r)
{
	uint32_t sectors = r->top[0].size / SECTOR, g;
	uint32_t *v;

	if (!r->sealed)
		return true;
	v = lookup_values(r, r->job_top);
	for (g = 0; g < sectors && v[g] == r->sealed[g]; g++)
		;
	free(v);
	if (g < sectors)
		return complain(r, "%s: sector %u has changed below the top",
				r->top[r->job_top].meta->file, g);
	return check_raw(r, sectors);
}
