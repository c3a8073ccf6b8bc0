// SPDX-License-Identifier: GPL-2.0-only
/*
 * The top map: the bitmap words of the active layer, block by block.
 *
 * A block is what one 4 KiB L2 block describes: 256 clusters. It is read on first use, validated
 * then, looked up under RCU, and evicted when too many are loaded and it has not been used lately.
 * Words are changed by cc_block_set() only, after the data that they describe has been written.
 */
#include <linux/bitmap.h>
#include <linux/moduleparam.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "load.h"
#include "mode.h"
#include "top.h"
#include "trim.h"
#include "writer.h"

/* 128 GiB of disk with clusters of 128 KiB; about 9 MiB of memory. */
static unsigned int cc_top_blocks = 4096;
module_param_named(top_blocks, cc_top_blocks, uint, 0644);
MODULE_PARM_DESC(top_blocks, "Maximum number of blocks of the top map (256 clusters each) that a device keeps in memory");

static u32 cc_top_limit(void)
{
	return clamp(READ_ONCE(cc_top_blocks), 16U, 1U << 24);
}

static bool cc_top_alloc(struct cc_top *top)
{
	top->blocks = kvcalloc(top->nr_blocks, sizeof(*top->blocks), GFP_KERNEL);
	top->counted = kvcalloc(BITS_TO_LONGS(top->nr_blocks), sizeof(long), GFP_KERNEL);
	return top->blocks && top->counted;
}

static struct kmem_cache *cc_block_cache;

int cc_top_cache_create(void)
{
	cc_block_cache = KMEM_CACHE(cc_block, SLAB_HWCACHE_ALIGN);
	return cc_block_cache ? 0 : -ENOMEM;
}

void cc_top_cache_destroy(void)
{
	kmem_cache_destroy(cc_block_cache);
}

static void cc_block_free(struct cc_block *b)
{
	if (!b)
		return;
	kfree(b->host);
	bitmap_free(b->bad);
	kfree(b->taken);
	kmem_cache_free(cc_block_cache, b);
}

static void cc_block_free_rcu(struct rcu_head *head)
{
	cc_block_free(container_of(head, struct cc_block, rcu));
}

static void cc_top_destroy(struct cc_top *top)
{
	u32 i;

	if (!top)
		return;
	for (i = 0; top->blocks && i < top->nr_blocks; i++)
		cc_block_free(rcu_dereference_protected(top->blocks[i], 1));
	kvfree(top->blocks);
	kvfree(top->counted);
	kfree(top);
}

static struct cc_top *cc_top_create(struct cc_layer *layer)
{
	struct cc_top *top = kzalloc(sizeof(*top), GFP_KERNEL);

	if (!top)
		return NULL;
	top->layer = layer;
	top->cluster_shift = layer->q2.cluster_bits - SECTOR_SHIFT;
	top->sub_shift = layer->q2.sub_bits - SECTOR_SHIFT;
	top->block_shift = top->cluster_shift + ilog2(CC_BLOCK_CLUSTERS);
	top->nr_blocks = (layer->sectors + (1ULL << top->block_shift) - 1) >> top->block_shift;
	spin_lock_init(&top->lock);
	INIT_LIST_HEAD(&top->clock);
	INIT_LIST_HEAD(&top->loads);
	atomic64_set(&top->provided, 0);
	if (!cc_top_alloc(top)) {
		cc_top_destroy(top);
		return NULL;
	}
	return top;
}

bool cc_top_fits(const struct cc_top *top)
{
	const struct q2_info *q2 = &top->layer->q2;

	return top->cluster_shift + SECTOR_SHIFT == q2->cluster_bits &&
	       top->sub_shift + SECTOR_SHIFT == q2->sub_bits;
}

void cc_top_reset(struct cc_top *top)
{
	bitmap_zero(top->counted, top->nr_blocks);
	WRITE_ONCE(top->nr_counted, 0);
	atomic64_set(&top->provided, 0);
}

int cc_top_attach_env(struct cc_layer *layer, const struct cc_sync_env *env)
{
	int r;

	layer->top = cc_top_create(layer);
	if (!layer->top)
		return -ENOMEM;
	r = cc_writer_attach(layer, env);
	if (!r)
		cc_trims_init(layer->writer);
	return r;
}

static struct cc_sync_env cc_top_env(struct cowchain *cc)
{
	struct cc_sync_env env = {
		.failed_fn = cc_writes_failed,
		.wq = cc->sync_wq,
		.words = &cc->words_pool,
	};

	return env;
}

int cc_top_attach(struct cc_layer *layer)
{
	struct cc_sync_env env = cc_top_env(layer->cc);

	return cc_top_attach_env(layer, &env);
}

void cc_top_demote(struct cc_layer *layer)
{
	struct cc_sync_env env = layer->writer->env;

	env.failed_fn = NULL;
	cc_writer_set_env(layer, &env);
}

void cc_top_promote(struct cc_layer *layer)
{
	struct cc_sync_env env = cc_top_env(layer->cc);

	cc_writer_set_env(layer, &env);
}

void cc_top_detach(struct cc_layer *layer)
{
	if (layer->writer)
		cc_trims_drop(layer->writer);
	cc_writer_detach(layer);
	cc_top_destroy(layer->top);
	layer->top = NULL;
}

/* --------------------------------------------------------- reading a block */

/* Clusters of this block that lie inside the image. */
u32 cc_block_clusters(struct cc_top *top, u32 index)
{
	u64 all = DIV_ROUND_UP_ULL(top->layer->q2.size, q2_cluster_size(&top->layer->q2));

	return min_t(u64, CC_BLOCK_CLUSTERS, all - cc_block_cluster(index, 0));
}

void cc_top_count(struct cc_top *top, u32 index, s64 provided)
{
	lockdep_assert_held(&top->lock);
	if (__test_and_set_bit(index, top->counted))
		return;
	WRITE_ONCE(top->nr_counted, top->nr_counted + 1);
	atomic64_add(provided, &top->provided);
}

s64 cc_word_weight(struct cc_top *top, u64 cluster, u64 word)
{
	return hweight32(((u32)word | (u32)(word >> 32)) & q2_sub_mask(&top->layer->q2, cluster));
}

/* I/O to a cluster with a wrong entry fails; the other clusters can be used. */
static int cc_block_mark_bad(struct cc_top *top, struct cc_block *b, u32 i, const char *why)
{
	struct cc_layer *layer = top->layer;

	cc_err_limit(layer->cc, "layer %s: guest offset 0x%llx: %s", layer->name,
		     cc_block_cluster(b->index, i) << layer->q2.cluster_bits, why);
	if (!b->bad)
		b->bad = bitmap_zalloc(CC_BLOCK_CLUSTERS, GFP_NOIO);
	if (!b->bad)
		return -ENOMEM;
	__set_bit(i, b->bad);
	return 0;
}

/* Clusters that are not contiguous need a table of their sectors. */
static int cc_block_set_host(struct cc_top *top, struct cc_block *b, u32 i, sector_t sector)
{
	u32 j;

	if (!b->host) {
		if (!i)
			b->base = sector;
		if (sector == b->base + ((sector_t)i << top->cluster_shift))
			return 0;
		b->host = kmalloc_array(CC_BLOCK_CLUSTERS, sizeof(*b->host), GFP_KERNEL);
		if (!b->host)
			return -ENOMEM;
		for (j = 0; j < CC_BLOCK_CLUSTERS; j++)
			b->host[j] = b->base + ((sector_t)j << top->cluster_shift);
	}
	b->host[i] = sector;
	return 0;
}

static int cc_block_fill(struct cc_top *top, struct cc_block *b,
			 const struct qcow2_l2_ext_entry *e, s64 *provided)
{
	struct cc_layer *layer = top->layer;
	u32 i, n = cc_block_clusters(top, b->index);
	int r;

	*provided = 0;
	for (i = 0; i < n; i++) {
		u64 cluster = cc_block_cluster(b->index, i);
		struct q2_cluster c;
		const char *why = q2_decode_top(&layer->q2, layer->tables, cluster,
						e[i].descriptor, e[i].bitmap,
						layer->data_bytes, &c);

		if (why) {
			r = cc_block_mark_bad(top, b, i, why);
			if (r)
				return r;
			continue;
		}
		atomic64_set(&b->bm[i], (u64)c.zero << 32 | c.alloc);
		r = cc_block_set_host(top, b, i, c.host >> SECTOR_SHIFT);
		if (r)
			return r;
		*provided += cc_word_weight(top, cluster, (u64)c.zero << 32 | c.alloc);
	}
	return 0;
}

/*
 * No sync writes the words of a block that is not loaded: it was not dirty when it was evicted, and
 * its words had been stored.
 */
static struct cc_block *cc_block_read(struct cc_top *top, u32 index, s64 *provided)
{
	unsigned int noio = memalloc_noio_save();
	struct cc_block *b = kmem_cache_zalloc(cc_block_cache, GFP_KERNEL);
	struct dm_buffer *buffer;
	void *p;
	int r = -ENOMEM;

	if (!b)
		goto out;
	b->index = index;
	b->top = top;
	WRITE_ONCE(b->referenced, true);
	INIT_LIST_HEAD(&b->list);
	spin_lock_init(&b->lock);
	p = dm_bufio_read(top->layer->bufio, cc_layer_l2_block(top->layer, index), &buffer);
	if (IS_ERR(p)) {
		r = PTR_ERR(p);
		cc_err_limit(top->layer->cc, "layer %s: cannot read L2 table: error %d",
			     top->layer->name, r);
		goto out;
	}
	r = cc_block_fill(top, b, p, provided);
	dm_bufio_release(buffer);
out:
	memalloc_noio_restore(noio);
	if (r) {
		cc_block_free(b);
		return ERR_PTR(r);
	}
	return b;
}

/* ---------------------------------------------------------------- evicting */

/* How many blocks one load looks at to make room. */
#define CC_EVICT_STEPS	128

/*
 * A bio that will set bits holds a pin from map to end_io; a block with bits that are not on disk
 * is dirty or taken. Setting pins to -1 first makes the order safe: from then on the block cannot
 * be pinned, and a bio that pinned it earlier has marked it dirty before it dropped the pin.
 */
static bool cc_block_evict(struct cc_top *top, struct cc_block *b)
{
	if (READ_ONCE(b->referenced)) {
		WRITE_ONCE(b->referenced, false);
		return false;
	}
	if (atomic_cmpxchg(&b->pins, 0, -1))
		return false;
	if (cc_writer_has(top->layer->writer, b)) {
		atomic_set(&b->pins, 0);
		return false;
	}
	RCU_INIT_POINTER(top->blocks[b->index], NULL);
	list_del(&b->clock);
	call_rcu(&b->rcu, cc_block_free_rcu);
	WRITE_ONCE(top->nr_loaded, top->nr_loaded - 1);
	return true;
}

/*
 * Bounded: if no block can be evicted, more than the limit are loaded, and the next load continues
 * behind the last one that this has looked at.
 */
static void cc_top_evict(struct cc_top *top)
{
	u32 limit = cc_top_limit(), steps = CC_EVICT_STEPS;

	lockdep_assert_held(&top->lock);
	while (top->nr_loaded >= limit && steps-- && !list_empty(&top->clock)) {
		struct cc_block *b = list_first_entry(&top->clock, struct cc_block, clock);

		if (!cc_block_evict(top, b))
			list_move_tail(&b->clock, &top->clock);
	}
}

/*
 * Blocks that are dirty cannot be evicted, so loading waits if it gets too far ahead of the sync.
 * Blocks are loaded in process context only, and none gets dirty without having been loaded. So
 * besides blocks that are pinned, there are never more than twice the limit.
 */
static void cc_top_make_room(struct cc_top *top)
{
	struct cc_writer *w = top->layer->writer;
	u32 limit = cc_top_limit();

	WRITE_ONCE(w->many, limit / 4);
	if (READ_ONCE(top->nr_loaded) >= 2 * limit)
		cc_writer_relieve(w);
}

/* ----------------------------------------------------------------- loading */

/*
 * struct cc_load - a block that is being read.
 * @waiters: those who want it, too.
 *
 * A slow or unreadable table must delay nobody who wants another block, so the lock is not held
 * while a block is read. This is on the stack of the task that reads, and a waiter on that of a
 * task that waits: neither needs memory. The reader cannot wait for any of the waiters, and has
 * left their stacks when they continue.
 */
struct cc_load {
	struct list_head list;
	struct list_head waiters;
	u32 index;
};

struct cc_load_waiter {
	struct list_head list;
	struct completion done;
	struct cc_block *b;
};

static struct cc_load *cc_load_find(struct cc_top *top, u32 index)
{
	struct cc_load *load;

	lockdep_assert_held(&top->lock);
	list_for_each_entry(load, &top->loads, list)
		if (load->index == index)
			return load;
	return NULL;
}

static void cc_load_begin(struct cc_top *top, struct cc_load *load)
{
	lockdep_assert_held(&top->lock);
	cc_top_evict(top);
	INIT_LIST_HEAD(&load->waiters);
	list_add_tail(&load->list, &top->loads);
	WRITE_ONCE(top->nr_loaded, top->nr_loaded + 1);
}

/* Publish a block that was read, pinned for the reader and all who wait for it. */
static void cc_load_publish(struct cc_top *top, struct cc_load *load, struct cc_block *b,
			    s64 provided)
{
	struct cc_load_waiter *waiter;

	lockdep_assert_held(&top->lock);
	atomic_inc(&b->pins);
	list_for_each_entry(waiter, &load->waiters, list) {
		atomic_inc(&b->pins);
	}
	cc_top_count(top, b->index, provided);
	list_add_tail(&b->clock, &top->clock);
	rcu_assign_pointer(top->blocks[b->index], b);
}

static struct cc_block *cc_load_read(struct cc_top *top, struct cc_load *load)
{
	struct cc_load_waiter *waiter, *next;
	s64 provided;
	struct cc_block *b = cc_block_read(top, load->index, &provided);

	spin_lock(&top->lock);
	list_del(&load->list);
	if (IS_ERR(b))
		WRITE_ONCE(top->nr_loaded, top->nr_loaded - 1);
	else
		cc_load_publish(top, load, b, provided);
	spin_unlock(&top->lock);
	/* No waiter can be added any more. */
	list_for_each_entry_safe(waiter, next, &load->waiters, list) {
		waiter->b = b;
		complete(&waiter->done);
	}
	return b;
}

static struct cc_block *cc_top_load_cold(struct cc_top *top, u32 index)
{
	struct cc_load load = { .index = index }, *other;
	struct cc_load_waiter waiter;
	struct cc_block *b;

	init_completion(&waiter.done);
	spin_lock(&top->lock);
	b = cc_top_block(top, index);
	if (b) {
		/* Nothing is evicted under the lock, so this need not check for -1. */
		atomic_inc(&b->pins);
		spin_unlock(&top->lock);
		return b;
	}
	other = cc_load_find(top, index);
	if (other)
		list_add_tail(&waiter.list, &other->waiters);
	else
		cc_load_begin(top, &load);
	spin_unlock(&top->lock);
	if (!other)
		return cc_load_read(top, &load);
	wait_for_completion_io(&waiter.done);
	return waiter.b;
}

/*
 * Neither cells nor other blocks' loads are held up by a wait in here, and the sync that is waited
 * for needs neither a worker of the bios nor a view.
 */
struct cc_block *cc_top_load(struct cc_top *top, u32 index)
{
	struct cc_block *b;

	rcu_read_lock();
	b = cc_top_block(top, index);
	if (b && !cc_block_pin(b))
		b = NULL;
	rcu_read_unlock();
	if (b)
		return b;
	cc_top_make_room(top);
	return cc_top_load_cold(top, index);
}
