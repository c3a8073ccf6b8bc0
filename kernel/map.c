// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of a bio: classify, remap or defer, end.
 *
 * Hot:  all subclusters allocated in the top: a view reference, one or two
 *       words and a mask, remap.
 * Warm: the below map knows the extent, or whole subclusters are written:
 *       remap; bits are set in end_io.
 * Cold: a worker loads metadata, fills a subcluster or waits for a cell.
 *
 * bi_sector is relative to the target from cc_map() on.
 */
#include "defer.h"
#include "discard.h"
#include "fill.h"
#include "map.h"
#include "read.h"
#include "throttle.h"
#include "track.h"
#include "watch.h"
#include "write.h"
#include "writer.h"

static bool cc_io_writes(struct bio *bio)
{
	return bio_op(bio) != REQ_OP_READ;
}

/*
 * Every flush of a top is a sync, even if no bit waits for one: an error may concern data that has
 * arrived meanwhile and whose bits are set a moment later, and the device does not report it twice.
 */
static int cc_map_flush(struct cc_io *io, struct bio *bio)
{
	struct cc_view *view = io->view;

	if (cc_watching())
		cc_watch_flush(io, bio, view->top ? CC_WAY_SYNC : CC_WAY_DEVICE);
	if (!view->top) {
		bio_set_dev(bio, cc_data_bdev(cc_view_active(view)));
		return DM_MAPIO_REMAPPED;
	}
	cc_writer_sync_bio(cc_view_active(view)->writer, bio);
	return DM_MAPIO_SUBMITTED;
}

/*
 * What dm promises of a device holds as long as its table, and files that are open rely on it.
 * After a snapshot, the top may be on a device that cannot do nowait I/O, and that would fail
 * such a bio for good. EAGAIN has the submitter try again without the flag.
 */
static bool cc_map_refuses(struct cc_io *io, struct bio *bio)
{
	return io->view->top && !bdev_nowait(cc_data_bdev(cc_view_active(io->view))) &&
	       cc_defer_refuses(bio);
}

static int cc_map_view(struct cc_io *io, struct bio *bio)
{
	if (unlikely(bio->bi_opf & (REQ_PREFLUSH | REQ_NOWAIT))) {
		if (bio->bi_opf & REQ_PREFLUSH)
			return cc_map_flush(io, bio);
		if (cc_map_refuses(io, bio))
			return DM_MAPIO_SUBMITTED;
	}
	switch (bio_op(bio)) {
	case REQ_OP_READ:
		return cc_map_read(io, bio);
	case REQ_OP_WRITE:
		return cc_map_write(io, bio);
	case REQ_OP_DISCARD:
	case REQ_OP_WRITE_ZEROES:
		if (!io->view->top || READ_ONCE(io->cc->mode) != CC_RW)
			return DM_MAPIO_KILL;
		return cc_defer_discard(io, bio);
	default:
		return DM_MAPIO_KILL;
	}
}

static bool cc_map_paused(struct cc_io *io, struct bio *bio)
{
	cc_throttle_bio(io, bio);
	return cc_pause_bio(io, bio);
}

int cc_map(struct dm_target *ti, struct bio *bio)
{
	struct cc_io *io = dm_per_bio_data(bio, sizeof(*io));
	int r;

	io->cc = ti->private;
	io->block = NULL;
	io->flags = 0;
	bio->bi_iter.bi_sector = dm_target_offset(ti, bio->bi_iter.bi_sector);
	do {
		io->view = cc_view_get(io->cc, cc_io_writes(bio));
		if (unlikely(!io->view) && cc_map_paused(io, bio))
			return DM_MAPIO_SUBMITTED;
	} while (unlikely(!io->view));

	r = cc_map_view(io, bio);
	/* dm does not call end_io for a killed bio. */
	if (unlikely(r == DM_MAPIO_KILL)) {
		if (io->flags & CC_IO_THROTTLED)
			cc_throttle_put(io->cc);
		cc_view_put(io->view, cc_io_writes(bio));
		io->view = NULL;
	}
	return r;
}

/* Return: 0, -ESTALE: begin again with another view, or -EAGAIN: another worker has it. */
static int cc_io_run(struct cc_io *io)
{
	struct bio *bio = io->bio;

	if (bio->bi_opf & REQ_PREFLUSH) {
		if (cc_map_flush(io, bio) == DM_MAPIO_REMAPPED)
			dm_submit_bio_remap(bio, NULL);
	} else if (bio_op(bio) == REQ_OP_READ) {
		cc_read_deferred(io);
	} else if (!io->view->top || READ_ONCE(io->cc->mode) != CC_RW) {
		bio_io_error(bio);
	} else {
		cc_track_bio(io, bio);
		if (bio_op(bio) != REQ_OP_WRITE)
			return cc_discard_deferred(io);
		return cc_write_deferred(io);
	}
	return 0;
}

void cc_io_work(struct work_struct *work)
{
	struct cc_io *io = container_of(work, struct cc_io, work);
	struct cowchain *cc = io->cc;
	struct bio *bio = io->bio;
	bool throttled = io->flags & CC_IO_THROTTLED;

	do {
		/* It holds no view while it is queued. */
		while (!io->view) {
			io->view = cc_view_get(cc, cc_io_writes(bio));
			if (!io->view && cc_pause_bio(io, bio))
				return;
		}
	} while (cc_io_run(io) == -ESTALE);
	/* The bio has ended, or is no longer ours. The workqueue has not ended, nor the target. */
	if (throttled)
		cc_throttle_put(cc);
}

/* Do what has to be done before the guest hears of the end. Return: true if it ends later. */
static bool cc_end_flags(struct cc_io *io, struct bio *bio, blk_status_t error)
{
	if (io->flags & CC_IO_BITS)
		cc_end_write(io, error);
	if ((io->flags & CC_IO_SYNC) && !error) {
		io->flags &= ~CC_IO_SYNC;
		cc_writer_sync_bio(cc_view_active(io->view)->writer, bio);
		return true;
	}
	return (io->flags & CC_IO_TRACKED) && cc_track_end(io, bio, error);
}

int cc_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct cc_io *io = dm_per_bio_data(bio, sizeof(*io));

	if (io->flags && cc_end_flags(io, bio, *error))
		return DM_ENDIO_INCOMPLETE;
	if (io->view)
		cc_view_put(io->view, cc_io_writes(bio));
	return DM_ENDIO_DONE;
}
