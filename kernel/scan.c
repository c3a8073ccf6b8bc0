// SPDX-License-Identifier: GPL-2.0-only
/*
 * Validates and counts the tables of the top: at once what activation or a snapshot asks for, the
 * rest in the background.
 */
#include <linux/sched/signal.h>

#include "load.h"
#include "mode.h"
#include "scan.h"
#include "view.h"

/* What makes a top unfit: @why is NULL if a cluster is allocated that must not be. */
struct cc_scan_fault {
	u64 cluster;
	const char *why;
};

/*
 * Return: false if the block makes the top unfit. The block may be loaded, and written by a sync,
 * while this looks at it; cc_scan_block() ignores the result then.
 */
static bool cc_scan_entries(struct cc_top *top, u32 index, enum cc_scan want,
			    const struct qcow2_l2_ext_entry *e, s64 *provided,
			    struct cc_scan_fault *fault)
{
	struct cc_layer *layer = top->layer;
	u32 i, n = cc_block_clusters(top, index);

	*provided = 0;
	for (i = 0; i < n; i++) {
		u64 cluster = cc_block_cluster(index, i);
		struct q2_cluster c;
		const char *why = q2_decode_top(&layer->q2, layer->tables, cluster,
						READ_ONCE(e[i].descriptor),
						READ_ONCE(e[i].bitmap),
						layer->data_bytes, &c);

		fault->cluster = cluster;
		fault->why = why;
		if (why == q2_not_prepared || (why && want != CC_SCAN_PREPARED))
			return false;
		if (why)	/* logged and handled when it is used */
			continue;
		if (want == CC_SCAN_EMPTY && (c.alloc || c.zero))
			return false;
		*provided += cc_word_weight(top, cluster, (u64)c.zero << 32 | c.alloc);
	}
	return true;
}

static void cc_scan_log(struct cc_layer *layer, const struct cc_scan_fault *fault)
{
	u64 offset = fault->cluster << layer->q2.cluster_bits;

	if (fault->why)
		cc_err(layer->cc, "layer %s: guest offset 0x%llx: %s", layer->name, offset,
		       fault->why);
	else
		cc_err(layer->cc, "layer %s is not empty: guest offset 0x%llx is allocated",
		       layer->name, offset);
}

/*
 * Most blocks are read only once, and those in use are kept as words, so keep the tables of a large
 * image out of dm-bufio's cache. A buffer that is dirty or held stays.
 */
static void cc_scan_forget(struct cc_top *top, u32 index)
{
	if (index >= CC_SCAN_SYNC_BLOCKS)
		dm_bufio_forget(top->layer->bufio, cc_layer_l2_block(top->layer, index));
}

/*
 * I/O of the guest goes on meanwhile, so no lock is held while the block is read. A block is
 * counted before its words can be changed, and a sync writes words that were changed: so if the
 * block is still not counted afterwards, it is as it was when the table was loaded. Otherwise its
 * loading has validated and counted it.
 */
static int cc_scan_block(struct cc_top *top, u32 index, enum cc_scan want)
{
	struct cc_scan_fault fault;
	struct dm_buffer *buffer;
	bool fit, counted;
	s64 provided;
	void *p;

	spin_lock(&top->lock);
	counted = test_bit(index, top->counted);
	spin_unlock(&top->lock);
	if (counted)
		return 0;
	p = dm_bufio_read(top->layer->bufio, cc_layer_l2_block(top->layer, index), &buffer);
	if (IS_ERR(p))
		return PTR_ERR(p);
	fit = cc_scan_entries(top, index, want, p, &provided, &fault);
	spin_lock(&top->lock);
	counted = test_bit(index, top->counted);
	if (fit)
		cc_top_count(top, index, provided);
	spin_unlock(&top->lock);
	dm_bufio_release(buffer);
	cc_scan_forget(top, index);
	if (fit || counted)
		return 0;
	cc_scan_log(top->layer, &fault);
	return -EMEDIUMTYPE;
}

/*
 * Is the background scan to be stopped, or the message or the resume for which this scans? A large
 * image takes long, and a suspend waits for messages.
 */
static bool cc_scan_must_end(struct cowchain *cc)
{
	return READ_ONCE(cc->scan_stop) || cc_must_yield(cc) || fatal_signal_pending(current);
}

int cc_top_scan(struct cc_top *top, u32 from, u32 to, enum cc_scan want)
{
	u32 per_table = 1U << (top->layer->q2.l2_bits - ilog2(CC_BLOCK_CLUSTERS));
	struct cowchain *cc = top->layer->cc;
	u32 i, ahead;
	int r = 0;

	for (i = from; i < to && !r; i++) {
		if (cc_scan_must_end(cc))
			return -EINTR;
		ahead = min(per_table - i % per_table, to - i);
		/* For a single block a prefetch would only hide an error from the read. */
		if (ahead > 1 && (i % per_table == 0 || i == from))
			dm_bufio_prefetch(top->layer->bufio, cc_layer_l2_block(top->layer, i),
					  ahead);
		r = cc_scan_block(top, i, want);
		cond_resched();
	}
	return r;
}

/* ------------------------------------------------------- in the background */

/* Validate and count what activation has left out. */
static void cc_scan_work(struct work_struct *work)
{
	struct cowchain *cc = container_of(work, struct cowchain, scan_work);
	struct cc_view *view = cc_view_get(cc, false);
	int r;

	if (!view)
		return;
	r = cc_top_scan(view->top, 0, view->top->nr_blocks, CC_SCAN_PREPARED);
	cc_view_put(view, false);
	if (r == -EMEDIUMTYPE)
		cc_set_mode(cc, CC_RO, "the top is not prepared for writing");
}

void cc_scan_init(struct cowchain *cc)
{
	INIT_WORK(&cc->scan_work, cc_scan_work);
}

void cc_start_scan(struct cowchain *cc)
{
	struct cc_view *view = cc_view_current(cc);

	lockdep_assert_held(&cc->ctl);
	/* Not suspended: a job may end while the device is being suspended. */
	if (view && view->top && !cc->suspended &&
	    READ_ONCE(view->top->nr_counted) < view->top->nr_blocks)
		queue_work(system_unbound_wq, &cc->scan_work);
}

void cc_stop_scan(struct cowchain *cc)
{
	WRITE_ONCE(cc->scan_stop, true);
	cancel_work_sync(&cc->scan_work);
	WRITE_ONCE(cc->scan_stop, false);
}

void cc_view_publish(struct cowchain *cc, struct cc_view *now)
{
	lockdep_assert_held(&cc->ctl);
	cc_stop_scan(cc);
	rcu_assign_pointer(cc->view, now);
	cc_start_scan(cc);
}
