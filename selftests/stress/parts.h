/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * chainstress: which layers have a part of what another has, since a commit of that was cancelled.
 */
#ifndef COWCHAIN_STRESS_PARTS_H
#define COWCHAIN_STRESS_PARTS_H

#include "chain.h"

#define MAX_PARTS	256

/* What a message has to do that would drop one of the two without the other. */
enum refusal { MUST_WORK, MAY_REFUSE, MUST_REFUSE };

struct parts {
	struct {
		char base[256], top[256];	/* files */
		bool sure;			/* or the commit may have ended */
	} p[MAX_PARTS];
	unsigned int n;
};

/* A commit of the layers up to @top into @base has begun, and has ended without an error. */
void parts_begin(struct parts *l, const struct layer *base, const struct layer *top);
void parts_end(struct parts *l, const struct layer *base);
/* Nobody has seen how it ended. */
void parts_unsure(struct parts *l, const struct layer *base);

/* Another commit, of the layers up to @top into @base. */
enum refusal parts_commit(const struct parts *l, const struct chain *c, int base, int top);
/* A stream that leaves @base below the top. */
enum refusal parts_stream(const struct parts *l, const struct chain *c, int base);

#endif
