/* SPDX-License-Identifier: GPL-2.0-only */
/* Bios that have to wait: for a worker, or for the end of a snapshot. */
#ifndef COWCHAIN_DEFER_H
#define COWCHAIN_DEFER_H

#include "map.h"

/*
 * Deferred bios are cut at this boundary: the smallest cluster a top can have, so that such a bio
 * never spans clusters, even if a snapshot changes the top while it waits.
 */
#define CC_DEFER_SECTORS	((1U << 17) / SECTOR_SIZE)
#define CC_DISCARD_SECTORS	(CC_DEFER_SECTORS * CC_BLOCK_CLUSTERS)

/**
 * cc_defer() - hand a bio to a worker, which runs cc->io_work.
 * @boundary: sectors; the bio is cut there.
 *
 * A nowait bio ends with EAGAIN instead. Context: any, inside of cc_map(). Return:
 * DM_MAPIO_SUBMITTED.
 */
int cc_defer(struct cc_io *io, struct bio *bio, u32 boundary);

/**
 * cc_defer_refuses() - end a bio that must not wait with EAGAIN.
 *
 * Also before it is split: what remains may have to wait. If the first part was under way by then,
 * the bio would end with EAGAIN in interrupt context, where io_uring does not try again but gives
 * the error to its user. (The block layer does not split such a bio either.)
 *
 * Context: any, inside of cc_map(). Return: false if it may wait; then nothing has happened.
 */
bool cc_defer_refuses(struct bio *bio);

/**
 * cc_defer_discard() - the same for a discard or a write-zeroes, cut so that it lies in one block.
 *
 * Gives the view back, since the bio may wait for long behind others: a snapshot need not wait for
 * it, and the worker gets the view of that time. Waits itself if too many are queued; see
 * throttle.h.
 *
 * Context: process, inside of cc_map(). Return: DM_MAPIO_SUBMITTED.
 */
int cc_defer_discard(struct cc_io *io, struct bio *bio);

/**
 * cc_defer_edges() - hand on a write-zeroes that covers a subcluster only in part.
 *
 * Its rest may have to be read from a slow layer, which other discards must not wait behind. It can
 * get among them when a snapshot has paused it, or has made subclusters larger.
 *
 * Context: a worker. Return: false if it has been handed on already. After true @io may be gone.
 */
bool cc_defer_edges(struct cc_io *io);

/*
 * If the bio is a discard or a write-zeroes, wait until not too many are queued, and count it; see
 * throttle.h. Context: any; process for these; inside of cc_map(), with no view held.
 */
void cc_throttle_bio(struct cc_io *io, struct bio *bio);

/**
 * cc_pause_bio() - queue a bio up until a snapshot has been taken.
 *
 * Context: any. Return: false if the snapshot is over: look again.
 */
bool cc_pause_bio(struct cc_io *io, struct bio *bio);

/* The longest time in milliseconds for which writes may wait so: a module parameter. */
unsigned int cc_pause_limit(void);

/* Let new bios queue up, except for reads, until cc_unpause_bios(). Context: process. */
void cc_pause_bios(struct cowchain *cc);
/* @reason, @error: for the trace. */
void cc_unpause_bios(struct cowchain *cc, const char *reason, int error);

#endif /* COWCHAIN_DEFER_H */
