/* SPDX-License-Identifier: GPL-2.0-only */
/* The below map: who provides what lies under the top. */
#ifndef COWCHAIN_BELOW_H
#define COWCHAIN_BELOW_H

#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>

#include "run.h"

#define CC_CHUNK_SHIFT		13	/* sectors: a chunk is 4 MiB */
#define CC_CHUNK_SECTORS	BIT(CC_CHUNK_SHIFT)

struct cc_view;

/**
 * struct cc_extent - who provides what lies under the top.
 * @sector: as in struct cc_run.
 * @start: sector inside the chunk; an extent reaches to the next one's start.
 * @slot: the providing layer; undefined for CC_NONE (nobody provides it) and CC_UNKNOWN.
 * @state: enum cc_state.
 */
struct cc_extent {
	sector_t sector;
	u16 start;
	u8 slot;
	u8 state;
};

/**
 * struct cc_chunk - 4 MiB of the below map.
 * @clock: in cc_below.clock.
 * @index: its number.
 * @bytes: what it takes in memory.
 * @nr: extents.
 * @referenced: used since the clock came by.
 *
 * Immutable once published, but for @clock and @referenced; looked up under RCU. What is unknown in
 * it becomes known when somebody asks for it: another chunk takes its place then. What could not be
 * read stays unknown: errors are not cached here.
 */
struct cc_chunk {
	struct rcu_head rcu;
	struct list_head clock;
	u32 index;
	u32 bytes;
	u32 nr;
	bool referenced;
	struct cc_extent ext[];
};

/**
 * struct cc_below - cache of what lies under the top.
 * @bytes: of all chunks.
 * @clock: all chunks, in the order in which the clock that evicts comes by.
 * @makers: those who make a chunk.
 * @refs: views that share it.
 *
 * The cost of a read does not depend on the depth of the chain: all layers are asked once, when a
 * chunk is resolved. What a finished stream drops is shadowed by the top's bits and so is never
 * looked up again.
 */
struct cc_below {
	u32 nr_chunks;
	spinlock_t lock;		/* publishing and evicting */
	size_t bytes;
	struct list_head clock;
	struct list_head makers;
	refcount_t refs;
	struct cc_chunk __rcu *chunk[];
};

/* A map for a disk of @sectors, or NULL without memory. Context: process. */
struct cc_below *cc_below_create(sector_t sectors);
void cc_below_put(struct cc_below *below);

/**
 * struct cc_piece - what is found at a position, for a read.
 * @cold: not resolved yet: load it and ask again.
 * @below: the below map provided the answer.
 * @slot: the layer that provides it, if @below.
 * @layer: the same, for CC_TAIL and CC_PACKED.
 * @bdev, @sector: where the data is, for CC_DATA; @sector as in struct cc_run.
 * @len: sectors.
 */
struct cc_piece {
	enum cc_state state;
	bool cold;
	bool below;
	u8 slot;
	struct cc_layer *layer;
	struct block_device *bdev;
	sector_t sector;
	u32 len;
};

/* Piece of the below map at @pos, at most @max sectors. Context: any. */
void cc_below_piece(struct cc_view *view, sector_t pos, u32 max, struct cc_piece *p);

/**
 * cc_below_load() - look up what the below map does not know.
 * @max: sectors, at most as many as are cold.
 * @p: the answer; CC_BAD if metadata of a layer that may provide @pos is wrong or unreadable.
 *
 * The answer comes from the layers of @view and does not depend on whether there is memory to cache
 * it. It is that of the time of the call, so @pos was unallocated in the top after @view was taken.
 *
 * Context: process. Return: 0, or -ENOMEM if a layer's device had no memory.
 */
int cc_below_load(struct cc_view *view, sector_t pos, u32 max, struct cc_piece *p);

/**
 * cc_read_below() - read sectors of the guest as the layers below provide them.
 * @offset: bytes into pages[0] where they go.
 *
 * Context: process. Return: 0 or -errno.
 */
int cc_read_below(struct cc_view *view, sector_t pos, unsigned int sectors,
		  struct page **pages, unsigned int offset);

#endif /* COWCHAIN_BELOW_H */
