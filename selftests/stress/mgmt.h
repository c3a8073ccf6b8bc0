/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * chainstress: what an administrator does to the chain while the writers write.
 */
#ifndef COWCHAIN_STRESS_MGMT_H
#define COWCHAIN_STRESS_MGMT_H

#include "chain.h"
#include "claims.h"
#include "parts.h"
#include "stress.h"

struct mgmt {
	struct stress *s;
	struct rng rng;
	struct claims claims;
	struct parts parts;
	unsigned int spare;	/* next to use */
	struct chain chain;	/* as the table describes it */
	bool job;		/* one was started, and its end was not seen yet */
	bool paused;
	bool cancelled;
	bool commit;		/* it is one, rather than a stream */
	bool active;		/* and one of the top itself */
	bool kept;		/* which waits to be told */
	int base;		/* layer number, -1: none */
	unsigned int into;	/* number of the layer whose header is to name the base, before that */
	unsigned int above;	/* layers above it */
	struct chain before;	/* when the job started */
	char named[1024];	/* in the header of the top at that time; with active, of the base */
};

/* A thread over struct stress: operations by the seed until the writers have ended. */
void *mgmt_thread(void *arg);

#endif
