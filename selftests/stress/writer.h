/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * chainstress: the writers.
 */
#ifndef COWCHAIN_STRESS_WRITER_H
#define COWCHAIN_STRESS_WRITER_H

#include "stress.h"

struct writer {
	struct stress *s;
	unsigned int id;
	struct rng rng;
	pthread_t thread;
};

/* A thread over struct writer: does its share of the operations. */
void *writer_thread(void *arg);
/* Stops the writers between two operations, and lets them continue. */
void writers_hold(struct stress *s);
void writers_release(struct stress *s);

#endif
