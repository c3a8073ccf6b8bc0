// SPDX-License-Identifier: GPL-2.0-only
/*
 * A block of the top map: what its words say, how they change, and I/O to the data that they
 * describe.
 */
#include <linux/bitmap.h>

#include "io.h"
#include "top.h"
#include "writer.h"

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
 * The block is dirty before the first bit can be seen, and the sync takes the words under the same
 * lock after it has cleared the mark. So whoever sees a bit, writes there and then flushes finds
 * something to sync, or the bit is durable already.
 */
void cc_block_set(struct cc_block *b, u32 first, u32 end, enum cc_state state)
{
	struct cc_writer *w = b->top->layer->writer;
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
			cc_writer_dirty(w, b);
		marked = true;
		atomic64_set(&b->bm[i], new);
		atomic64_add(hweight32(mask & ~before), &b->top->provided);
	}
	spin_unlock_irqrestore(&b->lock, flags);
	/* This write was in flight when the sync failed, and it will be acknowledged. */
	if (unlikely(marked && READ_ONCE(w->failed)))
		cc_writer_untell(w);
}

/* -------------------------------------------------------------------- data */

void cc_remap_top(struct cc_block *b, struct bio *bio, u32 rel)
{
	u32 len = bio_sectors(bio);

	bio_set_dev(bio, cc_data_bdev(b->top->layer));
	bio->bi_iter.bi_sector = cc_block_sector(b, rel, &len);
}

int cc_write_top(struct cowchain *cc, struct cc_block *b, u32 rel, unsigned int sectors,
		 struct page **pages, unsigned int offset)
{
	struct block_device *bdev = cc_data_bdev(b->top->layer);
	struct cc_batch batch;

	cc_batch_init(&batch);
	while (sectors) {
		u32 len = sectors;
		sector_t sector = cc_block_sector(b, rel, &len);

		cc_batch_add(cc, &batch, bdev, REQ_OP_WRITE, sector, pages, offset, len);
		rel += len;
		sectors -= len;
		offset += len << SECTOR_SHIFT;
	}
	return cc_batch_wait(&batch);
}

/*
 * The image need not end at the end of a subcluster. If it is enlarged later, the rest of its last
 * subcluster becomes a part of it and then has to read as zeros, not as what the device held
 * before.
 */
int cc_zero_slack(struct cowchain *cc, struct cc_block *b, u32 first, u32 end)
{
	struct cc_top *top = b->top;
	struct block_device *bdev = cc_data_bdev(top->layer);
	u64 limit = top->layer->sectors - ((u64)b->index << top->block_shift);
	sector_t sector;
	u32 len;

	if (end <= first || (u64)end << top->sub_shift <= limit)
		return 0;
	len = (end << top->sub_shift) - limit;
	sector = cc_block_sector(b, limit, &len);
	/* An external data file may end with the image. */
	if (sector >= bdev_nr_sectors(bdev))
		return 0;
	len = min_t(u64, len, bdev_nr_sectors(bdev) - sector);
	return cc_zero_device(cc, bdev, sector, len, !cc->no_discard_passdown);
}
