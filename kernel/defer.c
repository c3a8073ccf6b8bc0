// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bios that have to wait: for a worker, or for the end of a snapshot.
 */
#include <linux/jiffies.h>
#include <linux/moduleparam.h>

#include "defer.h"
#include "throttle.h"
#include "top.h"
#include "watch.h"

static bool cc_op_discards(struct bio *bio)
{
	return bio_op(bio) == REQ_OP_DISCARD || bio_op(bio) == REQ_OP_WRITE_ZEROES;
}

/* Is this a part of a subcluster? */
static bool cc_zeroes_part(struct cc_io *io)
{
	return bio_op(io->bio) == REQ_OP_WRITE_ZEROES &&
	       bio_sectors(io->bio) < 1U << io->view->top->sub_shift;
}

/* One discard of the guest may become thousands, which others must not wait behind. */
static struct workqueue_struct *cc_queue_of(struct cc_io *io)
{
	if (cc_op_discards(io->bio) && !(io->flags & CC_IO_EDGES))
		return io->cc->discard_wq;
	return io->cc->wq;
}

/*
 * A bio holds no view while it is queued: it may stand behind many that wait for a slow layer, and
 * a snapshot waits for all writers of a view. The worker takes the view that is current then.
 */
static void cc_queue_io(struct cc_io *io)
{
	struct workqueue_struct *wq = cc_queue_of(io);

	if (io->view)
		cc_view_put(io->view, bio_op(io->bio) != REQ_OP_READ);
	io->view = NULL;
	INIT_WORK(&io->work, io->cc->io_work);
	queue_work(wq, &io->work);
}

/*
 * Prepare a bio for a worker. Nobody would poll for I/O that a worker submits, so REQ_POLLED is
 * dropped; REQ_NOWAIT goes with it, or the submitter would get EAGAIN on every retry.
 *
 * Return: false if the bio must not wait.
 */
static bool cc_may_wait(struct bio *bio)
{
	if (bio->bi_opf & REQ_POLLED)
		bio->bi_opf &= ~(REQ_POLLED | REQ_NOWAIT);
	return !(bio->bi_opf & REQ_NOWAIT);
}

bool cc_defer_refuses(struct bio *bio)
{
	if (cc_may_wait(bio))
		return false;
	bio_wouldblock_error(bio);
	return true;
}

/* Sectors of @bio up to @boundary. */
static u32 cc_defer_sectors(struct bio *bio, u32 boundary)
{
	u32 left = boundary - (bio->bi_iter.bi_sector & (boundary - 1));

	return min(left, bio_sectors(bio));
}

/*
 * The edges of a write-zeroes, which cover their subclusters only in part, become bios of their
 * own: see cc_defer_discard().
 */
static u32 cc_discard_sectors(struct cc_io *io, struct bio *bio)
{
	u32 left = cc_defer_sectors(bio, CC_DISCARD_SECTORS);
	u32 sub, head;

	if (bio_op(bio) != REQ_OP_WRITE_ZEROES)
		return left;
	sub = 1U << io->view->top->sub_shift;
	head = bio->bi_iter.bi_sector & (sub - 1);
	if (head)
		return min(left, sub - head);
	return left > sub ? round_down(left, sub) : left;
}

/* Each bio has a work item of its own, so that a slow layer delays no other bio. */
int cc_defer(struct cc_io *io, struct bio *bio, u32 boundary)
{
	u32 left = cc_defer_sectors(bio, boundary);

	if (cc_defer_refuses(bio))
		return DM_MAPIO_SUBMITTED;
	if (bio_sectors(bio) > left)
		dm_accept_partial_bio(bio, left);
	if (cc_watching())
		cc_watch_wait(io, bio, CC_WAY_WORKER);
	io->bio = bio;
	cc_queue_io(io);
	return DM_MAPIO_SUBMITTED;
}

/* Once for each bio, also if it is paused before. */
void cc_throttle_bio(struct cc_io *io, struct bio *bio)
{
	if (!cc_op_discards(bio) || (bio->bi_opf & REQ_NOWAIT) || (io->flags & CC_IO_THROTTLED))
		return;
	cc_throttle_wait(io->cc);
	cc_throttle_get(io->cc);
	io->flags |= CC_IO_THROTTLED;
}

int cc_defer_discard(struct cc_io *io, struct bio *bio)
{
	u32 left = cc_discard_sectors(io, bio);

	/* Nobody polls for it; see cc_may_wait(). */
	if (bio->bi_opf & REQ_NOWAIT) {
		bio_wouldblock_error(bio);
		return DM_MAPIO_SUBMITTED;
	}
	if (bio_sectors(bio) > left)
		dm_accept_partial_bio(bio, left);
	if (cc_watching())
		cc_watch_wait(io, bio, CC_WAY_WORKER);
	io->bio = bio;
	/*
	 * Without a view: the snapshot that waits for it may have paused what is counted. A view
	 * that comes until the bio is served may have larger subclusters; then the worker finds
	 * edges: see cc_defer_edges().
	 */
	if (cc_zeroes_part(io)) {
		io->flags |= CC_IO_EDGES;
	} else {
		cc_view_put(io->view, true);
		io->view = NULL;
		cc_throttle_bio(io, bio);
	}
	cc_queue_io(io);
	return DM_MAPIO_SUBMITTED;
}

bool cc_defer_edges(struct cc_io *io)
{
	if (io->flags & CC_IO_EDGES)
		return false;
	io->flags |= CC_IO_EDGES;
	/* What waits for a slow layer does not count; the caller of cc_io_run() ends that. */
	io->flags &= ~CC_IO_THROTTLED;
	cc_queue_io(io);
	return true;
}

/* ----------------------------------------------- a snapshot is being taken */

/*
 * A guest waits for 30 seconds or more before it takes a disk for broken; the caches of slow disks
 * need some seconds for a flush.
 */
static unsigned int cc_snapshot_pause_ms = 10000;
module_param_named(snapshot_pause_ms, cc_snapshot_pause_ms, uint, 0644);
MODULE_PARM_DESC(snapshot_pause_ms, "Longest time in milliseconds for which a snapshot lets writes wait, or the end of a commit of the top before it writes the header of the base");

unsigned int cc_pause_limit(void)
{
	return clamp(READ_ONCE(cc_snapshot_pause_ms), 1U, 600000U);
}

bool cc_pause_bio(struct cc_io *io, struct bio *bio)
{
	struct cowchain *cc = io->cc;
	u32 left = cc_defer_sectors(bio, cc_op_discards(bio) ? CC_DISCARD_SECTORS :
							       CC_DEFER_SECTORS);
	unsigned long flags;

	spin_lock_irqsave(&cc->lock, flags);
	if (!cc->paused) {
		spin_unlock_irqrestore(&cc->lock, flags);
		return false;
	}
	if (!cc_may_wait(bio)) {
		spin_unlock_irqrestore(&cc->lock, flags);
		bio_wouldblock_error(bio);
		return true;
	}
	if (bio_sectors(bio) > left)
		dm_accept_partial_bio(bio, left);
	if (cc_watching())
		cc_watch_wait(io, bio, CC_WAY_PAUSE);
	io->bio = bio;
	bio_list_add(&cc->paused_bios, bio);
	spin_unlock_irqrestore(&cc->lock, flags);
	return true;
}

static void cc_resume_bios(struct cowchain *cc, struct bio_list *bios)
{
	struct bio *bio;

	while ((bio = bio_list_pop(bios)))
		cc_queue_io(dm_per_bio_data(bio, sizeof(struct cc_io)));
}

void cc_pause_bios(struct cowchain *cc)
{
	cc->pause_began = ktime_get_ns();
	spin_lock_irq(&cc->lock);
	WRITE_ONCE(cc->paused, true);
	spin_unlock_irq(&cc->lock);
}

void cc_unpause_bios(struct cowchain *cc, const char *reason, int error)
{
	u64 ns = ktime_get_ns() - cc->pause_began;
	struct bio_list bios;

	bio_list_init(&bios);
	spin_lock_irq(&cc->lock);
	WRITE_ONCE(cc->paused, false);
	bio_list_merge(&bios, &cc->paused_bios);
	bio_list_init(&cc->paused_bios);
	spin_unlock_irq(&cc->lock);
	cc_resume_bios(cc, &bios);
	trace_cowchain_pause(cc, reason, ns, error);
}
