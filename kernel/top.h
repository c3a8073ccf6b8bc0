/* SPDX-License-Identifier: GPL-2.0-only */
/* The top map: the blocks of the active layer, loaded on demand. */
#ifndef COWCHAIN_TOP_H
#define COWCHAIN_TOP_H

#include "block.h"

struct cc_sync_env;

/**
 * struct cc_top - the active layer's map, loaded block by block.
 * @cluster_shift, @sub_shift, @block_shift: log2 of the sectors of a cluster, a subcluster and a
 *	block.
 * @lock: never held while metadata is read.
 * @nr_loaded: blocks that are loaded or being read.
 * @clock: the loaded blocks, in the order in which the clock that evicts comes by.
 * @loads: blocks that are being read; see cc_top_load().
 * @counted: blocks that are part of @provided. Protected by @lock.
 * @provided: subclusters that are allocated or zero, in the counted blocks.
 * @raw: a stream without a base runs; see zero.c.
 */
struct cc_top {
	struct cc_layer *layer;
	unsigned int cluster_shift;
	unsigned int sub_shift;
	unsigned int block_shift;
	u32 nr_blocks;
	spinlock_t lock;		/* adding and evicting blocks, and all that follows */
	struct cc_block __rcu **blocks;
	u32 nr_loaded;
	struct list_head clock;
	struct list_head loads;
	unsigned long *counted;
	u32 nr_counted;
	atomic64_t provided;
	bool raw;
};

/* The cache that blocks are allocated from, for the life of the module. */
int cc_top_cache_create(void);
void cc_top_cache_destroy(void);

/**
 * cc_top_attach() - give a probed, writable layer its map and its writer.
 *
 * These are layer->top and layer->writer. If the writer fails, the chain becomes read-only.
 *
 * Context: process. Return: 0, or -ENOMEM; call cc_top_detach() in any case.
 */
int cc_top_attach(struct cc_layer *layer);

/* The same for a layer that is not the top. */
int cc_top_attach_env(struct cc_layer *layer, const struct cc_sync_env *env);

/*
 * From here on it is the top, or no longer. If its writer fails then, that does not concern the
 * chain. See cc_writer_set_env(). Context: process.
 */
void cc_top_promote(struct cc_layer *layer);
void cc_top_demote(struct cc_layer *layer);

/*
 * Free map and writer, if there are any. No bio has used them for a grace period. Context: process.
 */
void cc_top_detach(struct cc_layer *layer);

/* Does the map suit the image as it was loaded, if that has the same size? Context: any. */
bool cc_top_fits(const struct cc_top *top);

/* Forget what was counted: it is a map that no bio has used. Context: process. */
void cc_top_reset(struct cc_top *top);

/**
 * cc_top_load() - find a block, read it if need be.
 *
 * Different blocks are read side by side. Whoever asks for one that is being read waits, and gets
 * what its reader gets, also an error.
 *
 * Context: process. Return: the block, pinned, or ERR_PTR(-EIO, -ENOMEM).
 */
struct cc_block *cc_top_load(struct cc_top *top, u32 index);

/* A loaded block or NULL. Context: any, under rcu_read_lock() or pinned. */
static inline struct cc_block *cc_top_block(struct cc_top *top, u32 index)
{
	return rcu_dereference_check(top->blocks[index], lockdep_is_held(&top->lock));
}

/* The cluster of the guest's disk that is number @i of block @index. Context: any. */
static inline u64 cc_block_cluster(u32 index, u32 i)
{
	return (u64)index * CC_BLOCK_CLUSTERS + i;
}

/* For scan.c. Clusters of block @index that lie inside the image. Context: any. */
u32 cc_block_clusters(struct cc_top *top, u32 index);

/* Subclusters inside the image that @word, of @cluster, provides. Context: any. */
s64 cc_word_weight(struct cc_top *top, u64 cluster, u64 word);

/* Add block @index to @provided, unless it is counted. top->lock is held. */
void cc_top_count(struct cc_top *top, u32 index, s64 provided);

#endif /* COWCHAIN_TOP_H */
