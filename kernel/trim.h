/* SPDX-License-Identifier: GPL-2.0-only */
/* Gives space back that zero bits have hidden; see trim.c. */
#ifndef COWCHAIN_TRIM_H
#define COWCHAIN_TRIM_H

#include "block.h"

struct cc_trim;
struct cc_writer;

/* Jiffies that a message or a suspend may wait for a device that discards slowly. */
#define CC_TRIM_LIMIT	(5 * HZ)

/* Set up the fields of a new writer. Context: process. */
void cc_trims_init(struct cc_writer *w);

/* Forget what has not been given back. Nothing else uses the writer. Context: process. */
void cc_trims_drop(struct cc_writer *w);

/* Have what was added given back when it is durable. Context: process; no cells are held. */
void cc_trims_start(struct cc_writer *w);

/**
 * cc_trims_flush() - give back all space whose bits are durable.
 *
 * Waits for @timeout jiffies at most, and no longer if the task is killed; the rest is given back
 * without it. Context: process; no cells are held.
 */
void cc_trims_flush(struct cc_writer *w, unsigned long timeout);

/* The same after a sync, which may take @timeout, too. */
void cc_trims_finish(struct cc_writer *w, unsigned long timeout);

/**
 * cc_trims_stop() - forget what has not been given back.
 *
 * Waits for the discard that is under way. After this nothing is given back until a range is added.
 * Context: process; no cells are held.
 */
void cc_trims_stop(struct cc_writer *w);

/**
 * cc_trim_alloc() - make a range for cc_trim_add().
 *
 * Context: process. Return: NULL if the device of the layer can free no space, or without memory:
 * then the space stays allocated until it is discarded once more.
 */
struct cc_trim *cc_trim_alloc(struct cc_layer *layer);

/**
 * cc_trim_add() - the subclusters [first, end) were given zero bits.
 * @t: from cc_trim_alloc(), or NULL if the space need not be given back. It is consumed.
 *
 * Every change from data to zero bits that hides data has to be reported here, before the cells are
 * released; cc_trims_start() follows after that. Context: process; @b is pinned, the cells of
 * the range are held exclusively.
 */
void cc_trim_add(struct cc_trim *t, struct cc_block *b, u32 first, u32 end);

/**
 * cc_trim_keep() - the same, and the guest wants the space kept.
 *
 * So may more be that was to be given back with it. Context: as cc_trim_add().
 */
void cc_trim_keep(struct cc_block *b, u32 first, u32 end);

#endif /* COWCHAIN_TRIM_H */
