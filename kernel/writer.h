/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The writer of a layer: the blocks with bits that are not on disk yet, and the sync that makes
 * them durable.
 */
#ifndef COWCHAIN_WRITER_H
#define COWCHAIN_WRITER_H

#include "block.h"

/* The words of one block, and of how many blocks a chain has the memory in reserve. */
#define CC_WORDS_BYTES		(CC_BLOCK_CLUSTERS * sizeof(u64))
#define CC_WORDS_RESERVE	16

/**
 * struct cc_trims - space that can be given back when zero bits are durable; see trim.c.
 * @work: on cc->discard_wq.
 * @stopped: no range is taken from the list.
 */
struct cc_trims {
	spinlock_t lock;		/* the list; outside of cc_writer.lock, process context */
	u32 nr;
	struct list_head list;
	struct work_struct work;
	bool stopped;
};

/**
 * struct cc_sync_env - what a writer works with.
 * @failed_fn: called once, in process context, by the sync that failed: whatever uses the layer has
 *	to stop writing to it. NULL: it looks at @failed itself.
 * @wq: ordered; its syncs run here, and wait for the devices of the layer.
 * @words: memory for a sync, a mempool of CC_WORDS_BYTES with CC_WORDS_RESERVE elements. All syncs
 *	that use it run on one @wq.
 */
struct cc_sync_env {
	void (*failed_fn)(struct cowchain *cc, int error);
	struct workqueue_struct *wq;
	mempool_t *words;
};

/**
 * struct cc_writer - what a layer needs in order to be written.
 * @failed: nothing is synced any more; only the sync sets it, after @error.
 * @work: the sync; on @env.wq, which runs one at a time.
 * @trims: what may be given back after a sync.
 * @started: number of the last sync that has begun; the first is 1.
 * @synced: number of the last one that has succeeded.
 * @busy: a sync is in progress.
 * @told: a flush of the guest has failed since the last bit was set.
 * @owed: the next flush of the guest has to fail for what was lost before this table.
 * @rounds: counts what cc_writer_relieve() waits for.
 * @dirty, @nr_dirty: blocks with bits that no sync has taken yet.
 * @many: so many dirty blocks do not wait for the timer; written without @lock.
 * @bios: flushes of the guest that wait for the next sync, then end.
 * @waiters: sleepers that wait for the next sync, or give up before.
 * @relief: those in cc_writer_relieve().
 *
 * Everything of @lock and below is protected by it, and so are the fields dirty, taken and list of
 * the layer's blocks.
 */
struct cc_writer {
	struct cowchain *cc;
	struct cc_layer *layer;
	struct cc_sync_env env;
	bool failed;
	int error;
	struct delayed_work work;
	struct cc_trims trims;
	u32 many;
	wait_queue_head_t relief;

	spinlock_t lock;		/* innermost, irq-safe */
	u64 started;
	u64 synced;
	bool busy;
	bool told;
	bool owed;
	u32 rounds;
	u32 nr_dirty;
	struct list_head dirty;
	struct bio_list bios;
	struct list_head waiters;
};

/**
 * cc_writer_attach() - give a writable layer a writer, layer->writer.
 *
 * Context: process. Return: 0 or -ENOMEM.
 */
int cc_writer_attach(struct cc_layer *layer, const struct cc_sync_env *env);

/**
 * cc_writer_set_env() - give a writer something else to work with.
 *
 * All bits are on disk, none is being set, and nobody waits for a sync. Context: process.
 */
void cc_writer_set_env(struct cc_layer *layer, const struct cc_sync_env *env);

/* Free layer->writer, if there is one. No bio has used it for a grace period. Context: process. */
void cc_writer_detach(struct cc_layer *layer);

/**
 * cc_writer_dirty() - mark a block dirty before its first new bit can be seen.
 *
 * Starts the timer of the sync, or the sync if many blocks are dirty. Context: any; @b is pinned,
 * b->lock is held.
 */
void cc_writer_dirty(struct cc_writer *w, struct cc_block *b);

/* Are there bits of the block that are not on disk? Context: process. */
bool cc_writer_has(struct cc_writer *w, const struct cc_block *b);

/**
 * cc_writer_relieve() - let a sync begin, and wait until some dirty blocks are on disk.
 *
 * For whoever would have to load more blocks than may be loaded. Returns at once if no block is
 * dirty, or if the writer has failed.
 *
 * Context: process. Neither cells nor top->lock are held, and the caller's bio has set no bits.
 */
void cc_writer_relieve(struct cc_writer *w);

/**
 * cc_writer_next_sync() - number of the first sync after which all bits of @b as they are now are
 *	on disk.
 *
 * Context: process. Return: the number, 0 if they are on disk already.
 */
u64 cc_writer_next_sync(struct cc_writer *w, const struct cc_block *b);

/* Number of the last sync that has succeeded. Context: process. */
u64 cc_writer_synced(struct cc_writer *w);

/* Start a sync, @now or commit_ms later, and do not wait for it. Context: any. */
void cc_writer_start_sync(struct cc_writer *w, bool now);

/* Does a flush need a sync, or would flushing the device do? Context: any. */
bool cc_writer_needs_sync(struct cc_writer *w);

/* End @bio, a flush of the guest, after the next sync, with its result. Context: any. */
void cc_writer_sync_bio(struct cc_writer *w, struct bio *bio);

/* Make durable all that completed before. Context: process. Return: 0 or -errno. */
int cc_writer_sync(struct cc_writer *w);

/**
 * cc_writer_try_sync() - as cc_writer_sync(), but wait for @timeout jiffies at most.
 *
 * Context: process. Return: 0, -errno, -EBUSY after the timeout, or -EINTR if the task is killed;
 * after these two the sync continues without it.
 */
int cc_writer_try_sync(struct cc_writer *w, unsigned long timeout);

/**
 * cc_writer_suspend() - sync for the last time before another table may come.
 *
 * All I/O has ended. Context: process. Return: 0 or -errno.
 */
int cc_writer_suspend(struct cc_writer *w);

/* Sync for the last time before the table is destroyed. Context: process. */
void cc_writer_stop(struct cc_writer *w);

/* After a sync has failed: a write has ended that no flush has failed for. Context: any. */
void cc_writer_untell(struct cc_writer *w);

/* Why the writer has failed, a negative errno. Context: any. */
int cc_writer_error(const struct cc_writer *w);

/* Have writes been lost that completed, and no flush has failed since? Context: process. */
bool cc_writer_owes(struct cc_writer *w);

/* Let the next flush of the guest fail, if @owed. Context: process. */
void cc_writer_set_owed(struct cc_writer *w, bool owed);

#endif /* COWCHAIN_WRITER_H */
