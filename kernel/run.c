// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the tables of one layer say about a range of the guest's disk.
 */
#include <linux/jiffies.h>

#include "mode.h"
#include "run.h"
#include "tail.h"

/* ------------------------------------------------------ reading L2 blocks */

/*
 * Errors are kept for as long as it took to get them, a second at most. dm-bufio does not keep
 * them. A disk may try for seconds before it gives up, and there may be many who want to know what
 * one L2 block says: without this, each of them would make the disk try once more. An error that
 * comes at once costs nothing and is not kept.
 *
 * Return: the error of an L2 block, or 0.
 */
static int cc_l2_kept_error(struct cc_layer *layer, u64 block)
{
	unsigned int i;
	int error = 0;

	spin_lock(&layer->error_lock);
	for (i = 0; i < CC_L2_ERRORS; i++) {
		struct cc_l2_error *e = &layer->l2_errors[i];

		if (e->error && e->block == block && time_before(jiffies, e->until))
			error = e->error;
	}
	spin_unlock(&layer->error_lock);
	return error;
}

static void cc_l2_keep_error(struct cc_layer *layer, u64 block, int error, unsigned long took)
{
	struct cc_l2_error *e = NULL;
	unsigned int i;

	if (error == -ENOMEM || !took)
		return;
	spin_lock(&layer->error_lock);
	for (i = 0; i < CC_L2_ERRORS; i++)
		if (layer->l2_errors[i].block == block)
			e = &layer->l2_errors[i];
	if (!e)
		e = &layer->l2_errors[layer->next_error++ % CC_L2_ERRORS];
	e->block = block;
	e->until = jiffies + min_t(unsigned long, took, HZ);
	e->error = error;
	spin_unlock(&layer->error_lock);
}

/* The L2 block that was used last while a run is followed. */
struct cc_l2_cursor {
	struct dm_buffer *buffer;
	u8 *data;
	u64 block;
	bool cached;		/* do not read */
};

static void cc_l2_release(struct cc_l2_cursor *cur)
{
	if (cur->buffer)
		dm_bufio_release(cur->buffer);
	cur->buffer = NULL;
}

static void *cc_l2_read(struct cc_layer *layer, u64 block, struct dm_buffer **buffer)
{
	unsigned long start = jiffies;
	int r = cc_l2_kept_error(layer, block);
	void *p;

	if (r)
		return ERR_PTR(r);
	/*
	 * If this is an error, it may be an old one: somebody has read ahead and did not need the
	 * block. It goes with the buffer.
	 */
	p = dm_bufio_get(layer->bufio, block, buffer);
	if (IS_ERR_OR_NULL(p))
		p = dm_bufio_read(layer->bufio, block, buffer);
	if (!IS_ERR(p)) {
		atomic_set(&layer->ahead, 0);
	} else {
		cc_l2_keep_error(layer, block, PTR_ERR(p), jiffies - start);
		cc_err_limit(layer->cc, "layer %s: cannot read L2 table at block %llu: error %ld",
			     layer->name, block, PTR_ERR(p));
	}
	return p;
}

static int cc_l2_block(struct cc_layer *layer, struct cc_l2_cursor *cur, u64 block)
{
	void *p;

	if (cur->buffer && cur->block == block)
		return 0;
	cc_l2_release(cur);
	if (cur->cached)
		p = dm_bufio_get(layer->bufio, block, &cur->buffer);
	else
		p = cc_l2_read(layer, block, &cur->buffer);
	if (IS_ERR_OR_NULL(p)) {
		cur->buffer = NULL;
		return cur->cached ? -EAGAIN : PTR_ERR(p);
	}
	cur->data = p;
	cur->block = block;
	return 0;
}

/* ------------------------------------------------------------------- runs */

/*
 * Where the L2 entry of @cluster is, in bytes, or 0 if there is no table.
 *
 * Return: NULL, or what is wrong with the L1 entry.
 */
static const char *cc_l2_pos(struct cc_layer *layer, u64 cluster, u64 *pos)
{
	const struct q2_info *q2 = &layer->q2;
	const char *why;

	why = q2_l2_offset(q2, layer->l1[cluster >> q2->l2_bits], cc_meta_bytes(layer), pos);
	if (!why && *pos)
		*pos += (cluster & ((1U << q2->l2_bits) - 1)) * q2_l2_entry_size(q2);
	return why;
}

/*
 * A stream may store words here meanwhile, if a snapshot has made its target a lower layer: an
 * entry with the bits is one with the descriptor, too.
 */
static void cc_l2_words(const __be64 *words, u32 len, __be64 *entry)
{
	if (len > sizeof(*entry)) {
		entry[1] = READ_ONCE(words[1]);
		/* Pairs with cc_store_words(). */
		smp_rmb();
	}
	entry[0] = READ_ONCE(words[0]);
}

/* Copy the entry at byte @pos of the device, or behind its end. Return: 0 or -errno. */
static int cc_l2_copy(struct cc_layer *layer, struct cc_l2_cursor *cur, u64 pos, __be64 *entry,
		      u32 len)
{
	int r;

	if (pos >= layer->dev_bytes) {
		cc_tail_read(layer->tail, pos - layer->dev_bytes, entry, len);
		return 0;
	}
	r = cc_l2_block(layer, cur, pos >> layer->bufio_bits);
	if (!r)
		cc_l2_words((void *)(cur->data + (pos & ((1U << layer->bufio_bits) - 1))), len,
			    entry);
	return r;
}

/* Decode the entry of @cluster. @why is set if the entry is bad. */
static int cc_l2_entry(struct cc_layer *layer, struct cc_l2_cursor *cur, u64 cluster,
		       struct q2_cluster *c, const char **why)
{
	const struct q2_info *q2 = &layer->q2;
	__be64 entry[2] = { };
	u64 pos;
	int r;

	memset(c, 0, sizeof(*c));
	*why = cc_l2_pos(layer, cluster, &pos);
	if (*why || !pos)
		return 0;
	r = cc_l2_copy(layer, cur, pos, entry, q2_l2_entry_size(q2));
	if (r)
		return r;
	*why = q2_decode(q2, cluster, entry[0], entry[1], cc_data_bytes(layer), c);
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

	if (c->packed) {
		*end = nr << shift;
		return CC_PACKED;
	}
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
 * The part of a cluster beyond the end of the file reads as zeros: QEMU does not always extend a
 * file to the end of its last cluster.
 */
static void cc_clip_data(struct cc_layer *layer, struct cc_run *run)
{
	sector_t dev_end = layer->data_bytes >> SECTOR_SHIFT;
	sector_t len = run->end - run->start;

	if (run->state != CC_DATA)
		return;
	if (run->sector < dev_end) {
		run->end = run->start + min(len, dev_end - run->sector);
	} else if (run->sector == dev_end && cc_data_tail(layer)) {
		run->state = CC_TAIL;
		run->end = run->start + 1;
	} else {
		run->state = CC_ZERO;
	}
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
	/* A layer that was the top when the table was loaded; see q2_decode_top(). */
	if (!why && c.packed && !layer->source)
		why = "compressed cluster in a layer that was written";
	run->start = pos;
	if (why) {
		cc_err_limit(layer->cc, "layer %s: guest offset 0x%llx: %s", layer->name,
			     (u64)pos << SECTOR_SHIFT, why);
		run->state = CC_BAD;
		run->end = (cluster + 1) << shift;
		return 0;
	}
	run->state = cc_cluster_state(&layer->q2, &c, rel, &end);
	run->sector = c.packed ? c.packed : (c.host >> SECTOR_SHIFT) + rel;
	run->end = (cluster << shift) + end;
	cc_clip_data(layer, run);
	return 0;
}

/* What an L2 block describes that cannot be had. */
static void cc_missing_run(struct cc_layer *layer, sector_t pos, bool cached, struct cc_run *run)
{
	u64 clusters = (1U << layer->bufio_bits) / q2_l2_entry_size(&layer->q2);
	u64 cluster = pos >> (layer->q2.cluster_bits - SECTOR_SHIFT);

	run->start = pos;
	run->state = cached ? CC_UNKNOWN : CC_BAD;
	run->end = (round_down(cluster, clusters) + clusters) <<
		   (layer->q2.cluster_bits - SECTOR_SHIFT);
}

/* Does @next continue @run? (Compressed clusters with the same entry read the same.) */
static bool cc_run_continues(const struct cc_run *run, const struct cc_run *next)
{
	enum cc_state state = run->state;

	return next->state == state &&
	       cc_run_at(state, next->sector, 0) ==
	       cc_run_at(state, run->sector, run->end - run->start);
}

int cc_layer_run(struct cc_layer *layer, sector_t pos, sector_t limit, bool cached,
		 struct cc_run *run)
{
	struct cc_l2_cursor cur = { .cached = cached };
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
		cc_clip_data(layer, run);
		return 0;
	}
	r = cc_cluster_run(layer, &cur, pos, run);
	if (r)
		cc_missing_run(layer, pos, cached, run);
	/* What follows is worth no wait: it may be unreadable, and nobody may need it. */
	cur.cached = true;
	while (!r && run->end < limit) {
		/* What was found is good even if the next entry cannot be had. */
		if (cc_cluster_run(layer, &cur, run->end, &next) ||
		    !cc_run_continues(run, &next))
			break;
		run->end = next.end;
	}
	cc_l2_release(&cur);
	run->end = min(run->end, limit);
	return r;
}

/*
 * A layer that does not answer must not collect requests of those who may not even need it: they
 * would have to wait once its device takes no more. So this stops until somebody has needed, and
 * got, a block of the layer.
 */
#define CC_MAX_AHEAD	8

void cc_layer_ahead(struct cc_layer *layer, sector_t pos)
{
	u64 at;

	if (layer->kind == CC_RAW || pos >= layer->sectors ||
	    atomic_read(&layer->ahead) >= CC_MAX_AHEAD)
		return;
	if (cc_l2_pos(layer, pos >> (layer->q2.cluster_bits - SECTOR_SHIFT), &at) || !at ||
	    at >= layer->dev_bytes)
		return;
	at >>= layer->bufio_bits;
	if (cc_l2_kept_error(layer, at))
		return;
	atomic_inc(&layer->ahead);
	dm_bufio_prefetch(layer->bufio, at, 1);
}
