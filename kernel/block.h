/* SPDX-License-Identifier: GPL-2.0-only */
/* A block of the top map: its words, and I/O to the data they describe. */
#ifndef COWCHAIN_BLOCK_H
#define COWCHAIN_BLOCK_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/list.h>
#include <linux/rcupdate.h>

#include "run.h"

/**
 * struct cc_block - the bitmap words of one 4 KiB L2 block of the top.
 * @bm: bits 0-31 allocated, 32-63 zero, in CPU order.
 * @base: data sector of the first cluster if all follow each other.
 * @host: otherwise the data sector of each cluster.
 * @bad: clusters whose entry is wrong, NULL if none; I/O to them fails.
 * @index: number of the block.
 * @held: subclusters that writes wait for, first << 16 | end, or 0; see hold.h.
 * @referenced: used since the clock came by.
 * @clock: in cc_top.clock, as long as the block can be looked up.
 * @rcu: frees the block after that.
 * @pins: bios that will set bits; -1 while the block is being evicted.
 * @dirty: on the writer's list: has bits that no sync has taken.
 * @taken: words of the sync in progress.
 * @list: in cc_writer.dirty.
 * @sync_list: the blocks of the sync in progress.
 *
 * @dirty, @list and @taken change under the writer's lock. Every first write changes what follows
 * @lock; that has a cache line of its own, so that it does not take from other processors what
 * their reads and rewrites need.
 *
 * Looked up under RCU. A bit that says "allocated" is set after the data has been written, so
 * whoever sees the bit may read the data.
 */
struct cc_block {
	atomic64_t bm[CC_BLOCK_CLUSTERS];
	struct cc_top *top;
	sector_t base;
	sector_t *host;
	unsigned long *bad;
	u32 index;
	u32 held;
	bool referenced;
	union {
		struct list_head clock;
		struct rcu_head rcu;
	};

	spinlock_t lock ____cacheline_aligned_in_smp;	/* changes of @bm, irq-safe */
	atomic_t pins;
	bool dirty;
	u64 *taken;
	struct list_head list;
	struct list_head sync_list;
};

/* Pin a block found under RCU. Context: any. Return: false if it is being evicted. */
static inline bool cc_block_pin(struct cc_block *b)
{
	return atomic_add_unless(&b->pins, 1, -1);
}

static inline void cc_block_unpin(struct cc_block *b)
{
	atomic_dec(&b->pins);
}

/* The cluster of the guest's disk that subcluster @sub of the block lies in. */
static inline u64 cc_sub_cluster(const struct cc_block *b, u32 sub)
{
	return (u64)b->index * CC_BLOCK_CLUSTERS + sub / QCOW2_SUBCLUSTERS;
}

/* State of subcluster @sub of the block. Context: any. */
enum cc_state cc_block_state(const struct cc_block *b, u32 sub);

/* How many subclusters from @first on, up to @end, have @state. Context: any. */
u32 cc_block_run(const struct cc_block *b, u32 first, u32 end, enum cc_state state);

/**
 * cc_block_sector() - data sector of a position inside the block.
 * @rel: sectors from the start of the block.
 * @len: in: sectors wanted; out: how many follow each other there.
 *
 * Context: any.
 */
sector_t cc_block_sector(const struct cc_block *b, u32 rel, u32 *len);

/* The first subcluster of [first, end) in a bad cluster, or @end. Context: any. */
u32 cc_block_next_bad(const struct cc_block *b, u32 first, u32 end);

/* Does [first, end) touch a bad cluster? Context: any. */
bool cc_block_bad(const struct cc_block *b, u32 first, u32 end);

/**
 * cc_block_set() - change the state of a range to CC_DATA or CC_ZERO.
 *
 * One 64-bit store per cluster, so that no entry is ever both allocated and zero. Marks the block
 * dirty and starts the timer of the sync.
 *
 * Context: any. The block is pinned and, for CC_ZERO, the cells are taken exclusively or the range
 * is held.
 */
void cc_block_set(struct cc_block *b, u32 first, u32 end, enum cc_state state);

/* Point @bio to the data of the block from sector @rel on. Context: any. */
void cc_remap_top(struct cc_block *b, struct bio *bio, u32 rel);

/**
 * cc_write_top() - write pages to the data of a block.
 * @rel: sectors from the start of the block.
 * @offset: bytes into pages[0].
 *
 * Context: process. Return: 0 or -errno.
 */
int cc_write_top(struct cowchain *cc, struct cc_block *b, u32 rel, unsigned int sectors,
		 struct page **pages, unsigned int offset);

/**
 * cc_zero_slack() - zero what subclusters [first, end) have behind the image's end.
 *
 * Context: process. Return: 0 or -errno.
 */
int cc_zero_slack(struct cowchain *cc, struct cc_block *b, u32 first, u32 end);

#endif /* COWCHAIN_BLOCK_H */
