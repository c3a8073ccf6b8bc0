// SPDX-License-Identifier: GPL-2.0-only
/*
 * Zeros in an external data file.
 *
 * Zero bits are enough for the guest, and for everybody else who reads the data file through its
 * image. So as long as there are layers below, an external data file is used like a single file:
 * bits are set, and space is given back when these are durable (trim.c). What is in the data file
 * under a zero bit is anything then.
 *
 * Without layers below the data file is a plain raw disk, which programs that know nothing of the
 * image may read. A stream without a base makes it one, and after that what is discarded or zeroed
 * has to become zero in the data file, before its bits say so: a sync flushes the data before it
 * writes bits, so zero bits never survive a crash without the zeros. A stream examines
 * everything that is not allocated, also what has zero bits already, however it got them: QEMU, an
 * earlier stream with a base, and this target set them without zeroing. Two things make that
 * complete when its cursor has reached the end:
 *
 * - Discards and write zeroes zero the data from the moment on when the stream begins, see
 *   cc_zero_begin_raw(). So nothing behind the cursor gets a zero bit alone.
 * - Space is not given back any more that was hidden before (trim.c looks under a held range, and
 *   a copy waits for those), so nothing that the stream has found to be zero is discarded.
 *
 * A crash before the header has changed leaves a chain with layers below, and a stream that begins
 * with its cursor at 0.
 *
 * The bits are not trusted later either. Whether they were set with zeros cannot be recorded where
 * QEMU, which does not know of it, would not leave the record as it is; data_file_raw would be the
 * place, but it is an autoclear bit. So whatever has to be zero is
 *
 * 1. zeroed by a command, if the device has one. That costs little, also where there are zeros, and
 *    frees space as the guest allows. Otherwise
 * 2. discarded, if the guest discards it, so that the space is free. A stream discards what is not
 *    zero as it is. Then
 * 3. read, and zeros are written only where there are none yet. A thin volume has space for those
 *    places. Reading what it has no space for takes none.
 *
 * What a discarded block reads like is not in the limits of a device: a thin volume has zeros,
 * dm-crypt what it decrypts zeros to, others what was there. So it is always read, and a device
 * that was seen to have no zeros is not sent discards here any more: it would have to be written
 * each time.
 *
 * After a crash the bits of a discard that was not flushed may still say data. Then the guest sees
 * the old data or zeros, or, on a device that has no zeros there, once after each activation, what
 * that has. A write-zeroes promises more than a discard, so no discard is made of it. A stream
 * discards only what a crash cannot bring back: what is unallocated, and on disk as well; and what
 * had zero bits when it began, which it syncs first. What has got some since then is zero.
 *
 * It is assumed that a device that reads a block as zeros does so until that is written. (Where a
 * flush lies between, if it has crashed: a sync comes before the bits.) If one is known to be
 * different, an SSD whose discarded blocks change, no_discard_passdown helps.
 */
#include "cell.h"
#include "io.h"
#include "writer.h"
#include "zero.h"

int cc_zero_begin_raw(struct cowchain *cc, struct cc_top *top)
{
	/*
	 * Whoever sets zero bits alone has looked at the mark while it held the cells exclusively.
	 * It took them before they are taken here, and has given them back then; or it takes them
	 * later and sees the mark. The same holds for a range whose space is given back: it is held
	 * before its cells are taken.
	 */
	WRITE_ONCE(top->raw, true);
	cc_cells_pass(cc);
	return cc_writer_sync(top->layer->writer);
}

void cc_zero_end_raw(struct cc_top *top)
{
	WRITE_ONCE(top->raw, false);
}

/* ------------------------------------------------------------------ memory */

/*
 * Others wait for a page of the pool, and with one for a held range. So it is taken before a range
 * is held.
 */
void cc_zero_get_pages(struct cc_zeroing *z, struct page **pages)
{
	unsigned int n;

	for (n = 0; n < CC_ZERO_PAGES; n++) {
		pages[n] = alloc_page(GFP_NOWAIT | __GFP_NOWARN);
		if (!pages[n])
			break;
	}
	if (!n)
		pages[n++] = mempool_alloc(&z->cc->page_pool, GFP_NOIO);
	z->pages = pages;
	z->offset = 0;
	z->sectors = n * PAGE_SECTORS;
}

void cc_zero_put_pages(struct cc_zeroing *z)
{
	unsigned int i;

	for (i = 0; z->pages && i < z->sectors / PAGE_SECTORS; i++)
		mempool_free(z->pages[i], &z->cc->page_pool);
}

/* -------------------------------------------------------- devices that need it */

/* What is looked at, and written, at once; subclusters and blocks of devices are not smaller. */
#define CC_ZERO_UNIT	8U

/**
 * struct cc_zero_run - a range of the data device.
 * @bdev: the device.
 * @sector: where it begins there.
 * @sectors: its length.
 * @rel: where it begins in the block of the top.
 * @discarded: it was.
 * @edge: sectors at both ends that a discard may leave as they are.
 */
struct cc_zero_run {
	struct block_device *bdev;
	sector_t sector;
	u32 rel;
	u32 sectors;
	bool discarded;
	u32 edge;
};

static int cc_zero_read(struct cc_zeroing *z, struct cc_zero_run *run, u32 pos, u32 n)
{
	struct cc_batch batch;

	cc_batch_init(&batch);
	cc_batch_add_top(z->cc, &batch, run->bdev, REQ_OP_READ, run->sector + pos, z->pages,
			 z->offset, n);
	return cc_batch_wait(&batch);
}

static bool cc_zero_found(struct cc_zeroing *z, u32 at, u32 n)
{
	return cc_pages_are_zero(z->pages, z->offset + (at << SECTOR_SHIFT), n << SECTOR_SHIFT);
}

/* What was discarded at [pos, end) is not zero: if these are whole units, that is what it does. */
static void cc_zero_learn(struct cc_zeroing *z, struct cc_zero_run *run, u32 pos, u32 end)
{
	if (run->discarded && end > run->edge && pos + run->edge < run->sectors)
		WRITE_ONCE(z->b->top->layer->discards_keep, true);
}

/* Zero what was read from @pos on, where it is not zero. */
static int cc_zero_rest(struct cc_zeroing *z, struct cc_zero_run *run, u32 pos, u32 n)
{
	struct cc_batch batch;
	u32 at, len;

	cc_batch_init(&batch);
	for (at = 0; at < n; at += len) {
		bool zero;

		len = min(n - at, CC_ZERO_UNIT);
		zero = cc_zero_found(z, at, len);
		while (at + len < n) {
			u32 more = min(n - at - len, CC_ZERO_UNIT);

			if (cc_zero_found(z, at + len, more) != zero)
				break;
			len += more;
		}
		if (zero)
			continue;
		cc_zero_learn(z, run, pos + at, pos + at + len);
		z->written += len;
		cc_batch_add_zeros(z->cc, &batch, run->bdev, run->sector + pos + at, len);
	}
	return cc_batch_wait(&batch);
}

/* Without a discard the guest's data is most likely what it was. */
static bool cc_zero_is_data(struct cc_zeroing *z, struct cc_zero_run *run, u32 pos, u32 n)
{
	u32 shift = z->b->top->sub_shift;
	u32 first = (run->rel + pos) >> shift, end = ((run->rel + pos + n - 1) >> shift) + 1;

	return !run->discarded && cc_block_run(z->b, first, end, CC_DATA) == end - first;
}

static int cc_zero_piece(struct cc_zeroing *z, struct cc_zero_run *run, u32 pos, u32 n)
{
	if (!cc_zero_is_data(z, run, pos, n) && !cc_zero_read(z, run, pos, n))
		return cc_zero_rest(z, run, pos, n);
	/* What cannot be read can perhaps be written. */
	z->written += n;
	return cc_write_zero_pages(z->cc, run->bdev, run->sector + pos, n);
}

static bool cc_zero_all_found(struct cc_zeroing *z, struct cc_zero_run *run)
{
	u32 pos, n;

	for (pos = 0; pos < run->sectors; pos += n) {
		n = min(run->sectors - pos, z->sectors);
		if (cc_zero_read(z, run, pos, n) || !cc_zero_found(z, 0, n))
			return false;
	}
	return true;
}

/* Errors are ignored, since the range is read after it. */
static void cc_zero_discard(struct cc_zeroing *z, struct cc_zero_run *run)
{
	if (!z->hint || !z->unmap || !bdev_max_discard_sectors(run->bdev) ||
	    READ_ONCE(z->b->top->layer->discards_keep))
		return;
	blkdev_issue_discard(run->bdev, run->sector, run->sectors, GFP_NOIO);
	run->edge = max_t(u32, bdev_discard_granularity(run->bdev) >> SECTOR_SHIFT, CC_ZERO_UNIT);
	run->discarded = true;
}

static int cc_zero_run(struct cc_zeroing *z, struct cc_zero_run *run)
{
	u32 pos, n;
	int r = 0;

	if (z->look && cc_zero_all_found(z, run))
		return 0;
	cc_zero_discard(z, run);
	for (pos = 0; pos < run->sectors && !r; pos += n) {
		n = min(run->sectors - pos, z->sectors);
		r = cc_zero_piece(z, run, pos, n);
	}
	return r;
}

int cc_zero_data(struct cc_zeroing *z, u32 rel, u32 end)
{
	struct block_device *bdev = cc_data_bdev(z->b->top->layer);
	int r = 0;

	z->written = 0;
	while (rel < end && !r) {
		struct cc_zero_run run = { .bdev = bdev, .rel = rel };
		u32 len = end - rel;

		run.sector = cc_block_sector(z->b, rel, &len);
		run.sectors = len;
		if (bdev_write_zeroes_sectors(bdev))
			r = cc_zero_device(z->cc, bdev, run.sector, len, z->unmap);
		else
			r = cc_zero_run(z, &run);
		rel += len;
	}
	return r;
}
