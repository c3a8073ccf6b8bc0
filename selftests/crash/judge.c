// SPDX-License-Identifier: GPL-2.0-only
/*
 * crashreplay: is the disk in a state that a power loss may leave?
 */
#include "commit.h"
#include "heads.h"
#include "judge.h"
#include "lookup.h"
#include "report.h"
#include "sealed.h"

static bool check_run(struct replay *r, const struct found *f, uint32_t c, uint32_t from,
		      uint32_t to)
{
	uint32_t g;

	for (g = from; g < to; g++) {
		uint32_t value = lookup_value(r, f, c, g);
		const char *bad = model_check(&r->model, g, value);

		if (bad)
			return complain(r, "sector %u reads %s (%#x), the last durable write is %u",
					g, bad, value, r->model.floor[g]);
	}
	return true;
}

/*
 * An external data file has to be the guest's disk, all of it, once the header of its top says that
 * no layer is below. Until then zero bits hide what it has.
 */
static bool is_raw(const struct replay *r, unsigned int top)
{
	return r->top[top].data && !*r->head[top].name;
}

static bool check_raw(struct replay *r, unsigned int top, uint64_t bitmap, unsigned int sub,
		      uint32_t from, uint32_t to)
{
	const struct slice *data = r->top[top].data;
	uint32_t g;

	if (!((bitmap | bitmap >> 32) >> sub & 1))
		return complain(r, "%s: sector %u was not streamed in", data->file, from);
	for (g = from; g < to; g++) {
		uint32_t value = r->value[data->start + g];
		const char *bad = model_check(&r->model, g, value);

		if (bad)
			return complain(r, "%s: sector %u has %s (%#x), the last durable write is %u",
					data->file, g, bad, value, r->model.floor[g]);
	}
	return true;
}

/* Compares what the guest would read with top @top with what it has written. */
static bool check_contents(struct replay *r, unsigned int top)
{
	const struct top *t = &r->top[top];
	uint32_t per_sub = (1u << t->cluster_bits) / SECTOR / 32;
	uint32_t sectors = t->size / SECTOR;
	uint64_t bitmap[MAX_TOPS];
	const char *bad;
	uint32_t c, sub, i;

	for (c = 0; c < t->clusters; c++) {
		for (i = 0; i <= top; i++) {
			bad = top_entry(&r->top[i], c, &bitmap[i]);
			if (bad)
				return complain(r, "%s, cluster %u: %s",
						r->top[i].meta->file, c, bad);
		}
		for (sub = 0; sub < 32 && !r->no_model; sub++) {
			struct found f = lookup(r, top, bitmap, sub);
			uint32_t g = (c * 32 + sub) * per_sub;
			uint32_t end = g + per_sub < sectors ? g + per_sub : sectors;

			if (g >= sectors)
				break;
			if (!check_run(r, &f, c, g, end))
				return false;
			if (is_raw(r, top) && !check_raw(r, top, bitmap[top], sub, g, end))
				return false;
		}
	}
	return true;
}

bool judge(struct replay *r, bool durable)
{
	unsigned int top;

	if (!heads_check(r, durable))
		return false;
	top = lookup_active(r);
	/*
	 * the new top, still empty, can be attached before the old one is sealed, and has to read
	 * the same
	 */
	if (top < r->n_tops - 1 && !lookup_pivoted(r) && r->head[top + 1].ident.present && !check_contents(r, top + 1))
		return false;
	return check_contents(r, top) && commit_check(r) && sealed_check(r);
}
