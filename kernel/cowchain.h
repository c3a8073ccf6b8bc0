/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dm-cowchain: the lock order, the contexts, the target itself and its log messages. What a .c file
 * offers to others is declared in its own header.
 *
 * Lock order, outermost first:
 *
 *   md->suspend_lock (dm core)
 *     cc->ctl			messages, suspend, the end of a job; never that of two chains
 *       the lock of rounds	of all chains, see round.c
 *         dm's names (dm core)
 *       the lock of counting	of all chains, see counts.c; outside that of CPU hotplug
 *       dm-bufio's client lock
 *       top->lock		finds, adds and evicts blocks of the top map; no I/O under it
 *         writer->lock		a writer's lists and states, irq-safe, innermost
 *       cells			in ascending cluster order, one block at a time
 *         b->lock		words of one block of the top map, irq-safe
 *           writer->lock
 *       cc->lock		small lists and states, irq-safe, innermost
 *       track->lock		what is to be copied, irq-safe, innermost; end_io takes it
 *       counts->lock		what a reset subtracts, and the numbers of syncs, innermost
 *
 * A message handler runs inside dm's SRCU read section of the live table, so nothing in here may
 * ever wait for dm's own suspend.
 *
 * Contexts, as the headers name them: "any" includes interrupt context; "process" may sleep. All
 * allocations on the I/O path are GFP_NOIO, and backed by a mempool where a write needs them to
 * make progress.
 */
#ifndef COWCHAIN_H
#define COWCHAIN_H

#include <linux/bio.h>
#include <linux/device-mapper.h>
#include <linux/mempool.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat.h"

#define DM_MSG_PREFIX "cowchain"

struct cc_cell;
struct cc_counts;
struct cc_job;
struct cc_layer;
struct cc_packed_pages;
struct cc_round;
struct cc_view;

/* Messages name the mapped device and, where there is one, the layer. */
#define cc_err(cc, fmt, ...) \
	DMERR("%s: " fmt, dm_table_device_name((cc)->ti->table), ##__VA_ARGS__)
#define cc_info(cc, fmt, ...) \
	DMINFO("%s: " fmt, dm_table_device_name((cc)->ti->table), ##__VA_ARGS__)

enum cc_mode { CC_RW, CC_RO };

/**
 * struct cowchain - one target.
 *
 * The letter behind a field tells what protects it:
 *
 *  I: set by the constructor, never changed after it.
 *  C: @ctl.
 *  L: @lock.
 *  B: changed under @ctl with @lock held, so that either is enough to read it.
 *  R: written under @ctl, read under RCU.
 *  G: the lock of rounds, see round.c.
 *  W: written under @lock; also read without, with READ_ONCE().
 *  S: serializes itself.
 *
 * @read_only: the mapped device was created read-only.
 * @allow_sealed, @ignore_identity: see cc_ident_check().
 * @no_auto_resume: do not continue a recorded job.
 * @sub_bytes, @cluster_bytes: of the top when the table was loaded; 0 if it is not written.
 * @opened: layers of the table line, base first, until the first resume.
 * @layers: all that have devices: those of the views, what a job writes to, what is to be the next
 *	top, and what was dropped and is not closed yet. Once there is a view, @snapshot is set as
 *	long as another one is opened, so only one is at a time.
 * @first_view: the view of them, until the first resume publishes it.
 * @io_work: runs a bio that was handed to a worker; see defer.h.
 * @view: the chain as it is.
 * @ctl: messages, suspend and the end of a job exclude each other.
 * @suspended: between presuspend and resume.
 * @suspending: from before presuspend waits for @ctl until resume; see cc_must_yield().
 * @continue_job: the first resume has one to continue, in @continue_work.
 * @continuing: @continue_work is queued or runs.
 * @snapshot: a snapshot is being taken or prepared, also while its message does not hold @ctl, or
 *	none runs. Set under @ctl.
 * @prepared: the next view, of a snapshot that waits for "snapshot-commit"; NULL for none.
 * @prepared_until: jiffies.
 * @snapshot_work: commits it together with those of other chains, or gives it up.
 * @offer: in the list of the snapshots that wait.
 * @round: the commit that has taken it from there.
 * @base: slot of the layer selected as base, -1 for none.
 * @job: the running or the last job, NULL at first.
 * @scan_stop: set while cc_stop_scan() waits for @scan_work.
 * @sync_wq: runs one sync at a time, see writer.h.
 * @paused: a snapshot is being taken, or a commit of the top ends; bios wait in @paused_bios.
 * @pause_began: when, in ns of ktime_get_ns(). For whoever has set @paused.
 * @nr_retired: views that were replaced, and may have users; see cc_view_retire().
 * @wait: woken up when @nr_retired, @suspending, @continuing or @snapshot change.
 * @bs, @read_bs: for writes to the top; for reads of the layers below, see io.c.
 * @split_bs: for parts of a read that a worker serves.
 * @page_pool: for fills, see cc_fill().
 * @words_pool: for a sync, see writer.c.
 * @header_page: for writing a header.
 * @packed_pages: see packed.h.
 * @counts: of the mapped device; see counts.h.
 * @nr_discards: see throttle.h; those that are too many wait in @discard_wait.
 * @mode: only ever gets worse; another table begins with CC_RW.
 */
struct cowchain {
	struct dm_target *ti;			/* I */
	struct mapped_device *md;		/* I */
	bool read_only;				/* I */
	bool no_discard_passdown;		/* I */
	bool allow_sealed;			/* I */
	bool ignore_identity;			/* I */
	bool no_auto_resume;			/* I */
	unsigned int commit_ms;			/* I */
	u32 sub_bytes;				/* I */
	u32 cluster_bytes;			/* I */
	unsigned int nr_opened;			/* I */
	struct cc_layer **opened;		/* I */
	struct list_head layers;		/* L */
	work_func_t io_work;			/* I */
	struct ratelimit_state log_limit;	/* S */

	struct cc_view *first_view;		/* C */
	struct cc_view __rcu *view;		/* R */
	struct mutex ctl;			/* see the lock order above */
	bool suspended;				/* C */
	bool suspending;			/* READ_ONCE(), WRITE_ONCE() */
	bool snapshot;				/* C to set */
	struct cc_view *prepared;		/* C */
	unsigned long prepared_until;		/* C */
	struct delayed_work snapshot_work;	/* S */
	struct list_head offer;			/* G */
	struct cc_round *round;			/* G */
	bool continue_job;			/* C */
	bool continuing;			/* READ_ONCE(), WRITE_ONCE() */
	int base;				/* C */
	struct cc_job *job;			/* B */

	struct workqueue_struct *wq;		/* I */
	struct workqueue_struct *discard_wq;	/* I */
	struct workqueue_struct *sync_wq;	/* I */
	struct work_struct scan_work;		/* S */
	struct work_struct continue_work;	/* S */
	bool scan_stop;				/* C, read by the scan */
	struct bio_set bs;			/* S */
	struct bio_set read_bs;			/* S */
	struct bio_set split_bs;		/* S */
	mempool_t page_pool;			/* S */
	mempool_t words_pool;			/* S */
	struct page *header_page;		/* C */
	struct cc_packed_pages *packed_pages;	/* I; has its lock */
	struct cc_counts *counts;		/* I; has its lock */
	struct cc_cell *cells;			/* I; each has its lock */
	atomic_t nr_discards;			/* S */
	wait_queue_head_t discard_wait;		/* S */

	spinlock_t lock;			/* innermost, irq-safe */
	bool paused;				/* W */
	u64 pause_began;			/* C */
	struct bio_list paused_bios;		/* L */
	unsigned int nr_retired;		/* W */
	wait_queue_head_t wait;			/* S */
	enum cc_mode mode;			/* W */
};

/**
 * cc_must_yield() - is a suspend or a removal waiting for the messages that run?
 *
 * dm waits for them without a limit. So a message that may take long looks at this, and is woken up
 * by cc->wait. On a device that is suspended already nobody can tell whether dm waits: what may
 * take long there needs a limit. Context: any.
 */
static inline bool cc_must_yield(struct cowchain *cc)
{
	return READ_ONCE(cc->suspending) &&
	       (!dm_suspended(cc->ti) || dm_post_suspending(cc->ti));
}

#endif /* COWCHAIN_H */
