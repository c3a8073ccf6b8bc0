// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the tables of one layer say about a range of the guest's disk.
 */
#include "mode.h"
#include "run.h"

/* The L2 block that was used last while a run is followed. */
struct cc_l2_cursor {
	struct dm_buffer *buffer;
	u8 *data;
	u64 block;
};

static void cc_l2_release(struct cc_l2_cursor *cur)
{
	if (cur->buffer)
		dm_bufio_release(cur->buffer);
	cur->buffer = NULL;
}

static int cc_l2_block(struct cc_layer *layer, struct cc_l2_cursor *cur, u64 block)
{
	void *p;

	if (cur->buffer && cur->block == block)
		return 0;
	cc_l2_release(cur);
	p = dm_bufio_read(layer->bufio, block, &cur->buffer);
	if (IS_ERR(p)) {
		cur->buffer = NULL;
		cc_err_limit(layer->cc, "layer %s: cannot read L2 table at block %llu: error %ld",
			     layer->dev->name, block, PTR_ERR(p));
		return PTR_ERR(p);
	}
	cur->data = p;
	cur->block = block;
	return 0;
}

/* Decode the entry of @cluster. @why is set if the entry is bad. */
static int cc_l2_entry(struct cc_layer *layer, struct cc_l2_cursor *cur, u64 cluster,
		       struct q2_cluster *c, const char **why)
{
	const struct q2_info *q2 = &layer->q2;
	u64 l1_index = cluster >> q2->l2_bits;
	u64 offset, pos;
	__be64 w0, w1 = 0;
	int r;

	memset(c, 0, sizeof(*c));
	*why = q2_l2_offset(q2, layer->l1[l1_index], layer->dev_bytes, &offset);
	if (*why || !offset)
		return 0;
	pos = offset + (cluster & ((1U << q2->l2_bits) - 1)) * q2_l2_entry_size(q2);
	r = cc_l2_block(layer, cur, pos >> layer->bufio_bits);
	if (r)
		return r;
	pos &= (1U << layer->bufio_bits) - 1;
	memcpy(&w0, cur->data + pos, 8);
	if (q2->ext_l2)
		memcpy(&w1, cur->data + pos + 8, 8);
	*why = q2_decode(q2, cluster, w0, w1, layer->data_bytes, c);
	return 0;
}

/* State of the subcluster at sector @rel of the cluster; @end: where that state ends. */
static enum cc_state cc_cluster_state(const struct q2_info *q2, const struct q2_cluster *c,
				      u32 rel, u32 *end)
{
	u32 shift = q2->sub_bits - SECTOR_SHIFT;
	u32 nr = q2->ext_l2 ? QCOW2_SUBCLUSTERS : 1;
	u32 sub = rel >> shift, i;
	u64 word = (u64)c->zero << 32 | c->alloc;
	enum cc_state state = CC_NONE;

	if (c->alloc & (1U << sub))
		state = CC_DATA;
	else if (c->zero & (1U << sub))
		state = CC_ZERO;
	for (i = sub + 1; i < nr; i++)
		if (!(cc_word_state(word, state) & (1U << i)))
			break;
	*end = i << shift;
	return state;
}

/*
 * The part of a cluster beyond the end of the device reads as zeros: QEMU does not always extend a
 * file to the end of its last cluster.
 */
static void cc_clip_data(struct cc_layer *layer, struct cc_run *run)
{
	sector_t dev_end = layer->data_bytes >> SECTOR_SHIFT;
	sector_t len = run->end - run->start;

	if (run->state != CC_DATA)
		return;
	if (run->sector >= dev_end)
		run->state = CC_ZERO;
	else if (len > dev_end - run->sector)
		run->end = run->start + (dev_end - run->sector);
}

/* The run at @pos inside one cluster. */
static int cc_cluster_run(struct cc_layer *layer, struct cc_l2_cursor *cur, sector_t pos,
			  struct cc_run *run)
{
	u32 shift = layer->q2.cluster_bits - SECTOR_SHIFT;
	u64 cluster = pos >> shift;
	u32 rel = pos & ((1U << shift) - 1);
	struct q2_cluster c;
	const char *why;
	u32 end;
	int r = cc_l2_entry(layer, cur, cluster, &c, &why);

	if (r)
		return r;
	run->start = pos;
	if (why) {
		cc_err_limit(layer->cc, "layer %s: guest offset 0x%llx: %s", layer->dev->name,
			     (u64)pos << SECTOR_SHIFT, why);
		run->state = CC_BAD;
		run->end = (cluster + 1) << shift;
		return 0;
	}
	run->state = cc_cluster_state(&layer->q2, &c, rel, &end);
	run->sector = (c.host >> SECTOR_SHIFT) + rel;
	run->end = (cluster << shift) + end;
	cc_clip_data(layer, run);
	return 0;
}

/* Does @next continue @run? */
static bool cc_run_continues(const struct cc_run *run, const struct cc_run *next)
{
	return next->state == run->state &&
	       (run->state != CC_DATA ||
		next->sector == run->sector + (run->end - run->start));
}

int cc_layer_run(struct cc_layer *layer, sector_t pos, sector_t limit, struct cc_run *run)
{
	struct cc_l2_cursor cur = { };
	struct cc_run next;
	int r = 0;

	run->start = pos;
	run->sector = pos;
	if (pos >= layer->sectors) {
		/* Nothing deeper shows through beyond the end of a layer. */
		run->state = CC_ZERO;
		run->end = limit;
		return 0;
	}
	limit = min(limit, layer->sectors);
	if (layer->kind == CC_RAW) {
		run->state = CC_DATA;
		run->end = limit;
		return 0;
	}
	r = cc_cluster_run(layer, &cur, pos, run);
	while (!r && run->end < limit) {
		/* What was found is good even if the next entry is unreadable. */
		if (cc_cluster_run(layer, &cur, run->end, &next) ||
		    !cc_run_continues(run, &next))
			break;
		run->end = next.end;
	}
	cc_l2_release(&cur);
	if (!r)
		run->end = min(run->end, limit);
	return r;
}
