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

	for (;;) {
		if (bitmap[i] >> sub & 1) {
			f.top = i;
			return f;
		}
		if (bitmap[i] >> (32 + sub) & 1) {
			f.zero = true;
			return f;
		}
		if (!i || strcmp(r->head[i].name, r->top[0].meta->file))
			break;
		i--;
	}
	f.below = lookup_below(r, r->head[i].name);
	return f;
}

unsigned int lookup_active(const struct replay *r)
{
	return r->n_tops == 2 && r->head[0].ident.sealed ? 1 : 0;
}
