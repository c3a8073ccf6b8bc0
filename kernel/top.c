// SPDX-License-Identifier: GPL-2.0-only
/*
 * The top map: the bitmap words of the active layer, block by block.
 *
 * A block is what one 4 KiB L2 block describes: 256 clusters.  It is read on
 * first use, validated then, looked up under RCU, and evicted when too many
 * are loaded and nobody has used it lately.  Words only ever change by
 * cc_block_set(), after the data that they speak of has been written.
 */
#include <linux/bitmap.h>
#include <linux/moduleparam.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "cowchain.h"

/* 128 GiB of guest at 128 KiB clusters; about 10 MiB of memory. */
static unsigned int cc_top_blocks = 4096;
module_param_named(top_blocks, cc_top_blocks, uint, 0644);
MODULE_PARM_DESC(top_blocks, "4 KiB blocks of the top's map, each for 256 clusters, that a device keeps in memory");

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

struct cc_top *cc_top_create(struct cc_layer *layer)
{
	struct cc_top *top = kzalloc(sizeof(*top), GFP_KERNEL);

	if (!top)
		return NULL;
	top->layer = layer;
	top->cluster_shift = layer->q2.cluster_bits - SECTOR_SHIFT;
	top->sub_shift = layer->q2.sub_bits - SECTOR_SHIFT;
	top->block_shift = top->cluster_shift + ilog2(CC_BLOCK_CLUSTERS);
	top->nr_blocks = (layer->sectors + (1ULL << top->block_shift) - 1) >> top->block_shift;
	mutex_init(&top->lock);
	atomic64_set(&top->provided, 0);
	if (!cc_top_alloc(top)) {
		cc_top_destroy(top);
		return NULL;
	}
	return top;
}

static void cc_block_free(struct cc_block *b)
{
	if (!b)
		return;
	kfree(b->host);
	bitmap_free(b->bad);
	kfree(b->taken);
	kfree(b);
}

static void cc_block_free_rcu(struct rcu_head *head)
{
	cc_block_free(container_of(head, struct cc_block, rcu));
}

void cc_top_destroy(struct cc_top *top)
{
	u32 i;

	if (!top)
		return;
	for (i = 0; top->blocks && i < top->nr_blocks; i++)
		cc_block_free(rcu_dereference_protected(top->blocks[i], 1));
	kvfree(top->blocks);
	kvfree(top->counted);
	mutex_destroy(&top->lock);
	kfree(top);
}

/* --------------------------------------------------------- reading a block */

static u64 cc_block_cluster(u32 index, u32 i)
{
	return (u64)index * CC_BLOCK_CLUSTERS + i;
}

/* bufio's number of the L2 block; tops have 4 KiB bufio blocks. */
sector_t cc_top_disk_block(struct cc_top *top, u32 index)
{
	struct cc_layer *layer = top->layer;
	u32 per_table = 1U << (layer->q2.l2_bits - ilog2(CC_BLOCK_CLUSTERS));
	u64 l1 = be64_to_cpu(layer->l1[index / per_table]) & QCOW2_OFFSET_MASK;

	return (l1 >> layer->bufio_bits) + index % per_table;
}

/* Clusters of this block that lie inside the image. */
static u32 cc_block_clusters(struct cc_top *top, u32 index)
{
	u64 all = DIV_ROUND_UP_ULL(top->layer->q2.size, q2_cluster_size(&top->layer->q2));

	return min_t(u64, CC_BLOCK_CLUSTERS, all - cc_block_cluster(index, 0));
}

static void cc_top_count(struct cc_top *top, u32 index, s64 provided)
{
	lockdep_assert_held(&top->lock);
	if (__test_and_set_bit(index, top->counted))
		return;
	WRITE_ONCE(top->nr_counted, top->nr_counted + 1);
	atomic64_add(provided, &top->provided);
}

static s64 cc_word_weight(struct cc_top *top, u64 cluster, u64 word)
{
	return hweight32(((u32)word | (u32)(word >> 32)) & q2_sub_mask(&top->layer->q2, cluster));
}

/* A wrong entry: that cluster's I/O fails, the others go on. */
static int cc_block_mark_bad(struct cc_top *top, struct cc_block *b, u32 i, const char *why)
{
	struct cc_layer *layer = top->layer;

	cc_err_limit(layer->cc, "layer %s: guest offset 0x%llx: %s", layer->dev->name,
		     cc_block_cluster(b->index, i) << layer->q2.cluster_bits, why);
	if (!b->bad)
		b->bad = bitmap_zalloc(CC_BLOCK_CLUSTERS, GFP_NOIO);
	if (!b->bad)
		return -ENOMEM;
	__set_bit(i, b->bad);
	return 0;
}

/* Offsets that do not follow each other need a table of their own. */
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
			 const struct qcow2_l2_ext_entry *e)
{
	struct cc_layer *layer = top->layer;
	u32 i, n = cc_block_clusters(top, b->index);
	s64 provided = 0;
	int r;

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
		provided += cc_word_weight(top, cluster, (u64)c.zero << 32 | c.alloc);
	}
	cc_top_count(top, b->index, provided);
	return 0;
}

static struct cc_block *cc_block_read(struct cc_top *top, u32 index)
{
	unsigned int noio = memalloc_noio_save();
	struct cc_block *b = kzalloc(sizeof(*b), GFP_KERNEL);
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
	p = dm_bufio_read(top->layer->bufio, cc_top_disk_block(top, index), &buffer);
	if (IS_ERR(p)) {
		r = PTR_ERR(p);
		cc_err_limit(top->layer->cc, "layer %s: cannot read L2 table: error %d",
			     top->layer->dev->name, r);
		goto out;
	}
	r = cc_block_fill(top, b, p);
	dm_bufio_release(buffer);
out:
	memalloc_noio_restore(noio);
	if (r) {
		cc_block_free(b);
		return ERR_PTR(r);
	}
	return b;
}

/* --------------------------------------------------------------- eviction */

static bool cc_block_uncommitted(struct cowchain *cc, struct cc_block *b)
{
	bool uncommitted;

	spin_lock_irq(&cc->lock);
	uncommitted = b->dirty || b->taken;
	spin_unlock_irq(&cc->lock);
	return uncommitted;
}

/*
 * A bio that will set bits holds a pin from map to end_io; a block with bits
 * that are not on disk is dirty or taken.  Setting pins to -1 first makes the
 * order safe: from then on nobody new can pin the block and dirty it, and who
 * pinned it earlier has marked it dirty before he let go.
 */
static bool cc_block_evict(struct cc_top *top, struct cc_block *b)
{
	if (READ_ONCE(b->referenced)) {
		WRITE_ONCE(b->referenced, false);
		return false;
	}
	if (atomic_cmpxchg(&b->pins, 0, -1))
		return false;
	if (cc_block_uncommitted(top->layer->cc, b)) {
		atomic_set(&b->pins, 0);
		return false;
	}
	RCU_INIT_POINTER(top->blocks[b->index], NULL);
	call_rcu(&b->rcu, cc_block_free_rcu);
	top->nr_loaded--;
	return true;
}

/* One turn of the clock, bounded: loading goes on even if nothing can go. */
static void cc_top_evict(struct cc_top *top)
{
	u32 limit = cc_top_limit();
	u32 steps = min_t(u32, 2 * top->nr_blocks, 4 * limit);

	lockdep_assert_held(&top->lock);
	while (top->nr_loaded >= limit && steps--) {
		struct cc_block *b = cc_top_block(top, top->hand);

		if (b)
			cc_block_evict(top, b);
		top->hand = (top->hand + 1) % top->nr_blocks;
	}
}

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

	mutex_lock(&top->lock);
	b = cc_top_block(top, index);
	if (!b) {
		cc_top_evict(top);
		b = cc_block_read(top, index);
		if (!IS_ERR(b)) {
			rcu_assign_pointer(top->blocks[index], b);
			top->nr_loaded++;
		}
	}
	/* Under the lock nobody evicts, so this cannot fail. */
	if (!IS_ERR(b))
		atomic_inc(&b->pins);
	mutex_unlock(&top->lock);
	return b;
}

/* ------------------------------------------------------------------ scan */

static int cc_scan_entries(struct cc_top *top, u32 index, bool empty,
			   const struct qcow2_l2_ext_entry *e)
{
	struct cc_layer *layer = top->layer;
	u32 i, n = cc_block_clusters(top, index);
	s64 provided = 0;

	for (i = 0; i < n; i++) {
		u64 cluster = cc_block_cluster(index, i);
		struct q2_cluster c;
		const char *why = q2_decode_top(&layer->q2, layer->tables, cluster,
						e[i].descriptor, e[i].bitmap,
						layer->data_bytes, &c);

		if (why == q2_not_prepared || (empty && why)) {
			cc_err(layer->cc, "layer %s: guest offset 0x%llx: %s", layer->dev->name,
			       cluster << layer->q2.cluster_bits, why);
			return -EMEDIUMTYPE;
		}
		if (why)	/* said again, and answered, when it is used */
			continue;
		if (empty && (c.alloc || c.zero)) {
			cc_err(layer->cc, "layer %s is not empty: guest offset 0x%llx is allocated",
			       layer->dev->name, cluster << layer->q2.cluster_bits);
			return -EMEDIUMTYPE;
		}
		provided += cc_word_weight(top, cluster, (u64)c.zero << 32 | c.alloc);
	}
	cc_top_count(top, index, provided);
	return 0;
}

/*
 * Most blocks are looked at once, and those in use are kept as words: a large
 * image does not fill the cache with its tables.  A dirty buffer, or one that
 * somebody holds, stays.
 */
static void cc_scan_forget(struct cc_top *top, u32 index)
{
	if (index >= CC_SCAN_SYNC_BLOCKS)
		dm_bufio_forget(top->layer->bufio, cc_top_disk_block(top, index));
}

static int cc_scan_block(struct cc_top *top, u32 index, bool empty)
{
	struct dm_buffer *buffer;
	void *p;
	int r = 0;

	mutex_lock(&top->lock);
	if (!test_bit(index, top->counted)) {
		p = dm_bufio_read(top->layer->bufio, cc_top_disk_block(top, index), &buffer);
		r = PTR_ERR_OR_ZERO(p);
		if (!r) {
			r = cc_scan_entries(top, index, empty, p);
			dm_bufio_release(buffer);
			cc_scan_forget(top, index);
		}
	}
	mutex_unlock(&top->lock);
	return r;
}

int cc_top_scan(struct cc_top *top, u32 from, u32 to, bool empty)
{
	u32 per_table = 1U << (top->layer->q2.l2_bits - ilog2(CC_BLOCK_CLUSTERS));
	struct cowchain *cc = top->layer->cc;
	u32 i, ahead;
	int r = 0;

	for (i = from; i < to && !r; i++) {
		if (READ_ONCE(cc->scan_stop))
			return -EINTR;
		ahead = min(per_table - i % per_table, to - i);
		/* Of a single block it would only hide an error from the read. */
		if (ahead > 1 && (i % per_table == 0 || i == from))
			dm_bufio_prefetch(top->layer->bufio, cc_top_disk_block(top, i), ahead);
		r = cc_scan_block(top, i, empty);
		cond_resched();
	}
	return r;
}

/* ------------------------------------------------------------------- words */

enum cc_state cc_block_state(const struct cc_block *b, u32 sub)
{
	u64 word = atomic64_read(&b->bm[sub / QCOW2_SUBCLUSTERS]);
	u32 bit = sub % QCOW2_SUBCLUSTERS;

	if (word & (1ULL << bit))
		return CC_DATA;
	return word & (1ULL << (bit + 32)) ? CC_ZERO : CC_NONE;
}

u32 cc_block_run(const struct cc_block *b, u32 first, u32 end, enum cc_state state)
{
	u32 pos = first;

	while (pos < end) {
		u32 bit = pos % QCOW2_SUBCLUSTERS;
		u64 word = atomic64_read(&b->bm[pos / QCOW2_SUBCLUSTERS]);
		u32 other = ~cc_word_state(word, state) >> bit;

		if (other)
			return min_t(u32, end, pos + __ffs(other)) - first;
		pos += QCOW2_SUBCLUSTERS - bit;
	}
	return end - first;
}

sector_t cc_block_sector(const struct cc_block *b, u32 rel, u32 *len)
{
	u32 shift = b->top->cluster_shift;
	u32 cluster = rel >> shift, next = cluster + 1;
	u32 end = rel + *len;
	sector_t sector;

	if (likely(!b->host))
		return b->base + rel;
	sector = b->host[cluster] + (rel & ((1U << shift) - 1));
	while ((next << shift) < end &&
	       b->host[next] == b->host[next - 1] + (1U << shift))
		next++;
	*len = min(end, next << shift) - rel;
	return sector;
}

u32 cc_block_next_bad(const struct cc_block *b, u32 first, u32 end)
{
	u32 cluster;

	if (likely(!b->bad))
		return end;
	cluster = find_next_bit(b->bad, CC_BLOCK_CLUSTERS, first / QCOW2_SUBCLUSTERS);
	return clamp_t(u32, cluster * QCOW2_SUBCLUSTERS, first, end);
}

bool cc_block_bad(const struct cc_block *b, u32 first, u32 end)
{
	return cc_block_next_bad(b, first, end) < end;
}

/* Bits of the word of @cluster (in the block) that [first, end) covers. */
static u32 cc_range_mask(u32 cluster, u32 first, u32 end)
{
	u32 from = cluster * QCOW2_SUBCLUSTERS;
	u32 lo = max(first, from) - from;
	u32 hi = min(end, from + QCOW2_SUBCLUSTERS) - from;

	return (u32)(((1ULL << hi) - 1) & ~((1ULL << lo) - 1));
}

static u64 cc_word_set(u64 word, u32 mask, enum cc_state state)
{
	u32 alloc = word, zero = word >> 32;

	alloc = state == CC_DATA ? alloc | mask : alloc & ~mask;
	zero = state == CC_ZERO ? zero | mask : zero & ~mask;
	return (u64)zero << 32 | alloc;
}

/*
 * The block is dirty before the first bit can be seen, and the committer takes
 * the words under the same lock after it has cleared the mark.  So whoever
 * sees a bit, writes there and then flushes finds something to commit, or the
 * bit is durable already.
 */
void cc_block_set(struct cowchain *cc, struct cc_block *b, u32 first, u32 end,
		  enum cc_state state)
{
	bool marked = false;
	unsigned long flags;
	u32 i;

	spin_lock_irqsave(&b->lock, flags);
	for (i = first / QCOW2_SUBCLUSTERS; i * QCOW2_SUBCLUSTERS < end; i++) {
		u32 mask = cc_range_mask(i, first, end);
		u64 old = atomic64_read(&b->bm[i]);
		u64 new = cc_word_set(old, mask, state);
		u32 before = (u32)old | (u32)(old >> 32);

		if (new == old)
			continue;
		if (!marked)
			cc_block_dirty(cc, b);
		marked = true;
		atomic64_set(&b->bm[i], new);
		atomic64_add(hweight32(mask & ~before), &b->top->provided);
	}
	spin_unlock_irqrestore(&b->lock, flags);
	/* It was under way when the mode changed, and will be acknowledged. */
	if (unlikely(marked && READ_ONCE(cc->commit_failed)))
		cc_commit_untell(cc);
}
