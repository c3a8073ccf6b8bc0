// SPDX-License-Identifier: GPL-2.0-only
/*
 * Synchronous I/O on pages, for fill, copy and zeroing.
 *
 * Every bio is submitted as soon as it is allocated and ends on its own, so the mempool behind the
 * bio set is always refilled and waiting for it cannot deadlock. Reads and writes have a set each:
 * reads of a layer that does not answer may hold all of theirs, I/O to the top must not wait for
 * them.
 */
#include <linux/mm.h>
#include <linux/string.h>

#include "io.h"

void cc_batch_init(struct cc_batch *batch)
{
	atomic_set(&batch->pending, 1);
	batch->status = BLK_STS_OK;
	init_completion(&batch->done);
}

static void cc_batch_put(struct cc_batch *batch)
{
	if (atomic_dec_and_test(&batch->pending))
		complete(&batch->done);
}

static void cc_batch_end_io(struct bio *bio)
{
	struct cc_batch *batch = bio->bi_private;

	if (bio->bi_status)
		WRITE_ONCE(batch->status, bio->bi_status);
	bio_put(bio);
	cc_batch_put(batch);
}

int cc_batch_wait(struct cc_batch *batch)
{
	cc_batch_put(batch);
	wait_for_completion_io(&batch->done);
	return blk_status_to_errno(READ_ONCE(batch->status));
}

static void cc_batch_add_from(struct bio_set *bs, struct cc_batch *batch,
			      struct block_device *bdev, blk_opf_t opf, sector_t sector,
			      struct page **pages, unsigned int offset, unsigned int sectors)
{
	unsigned int left = sectors << SECTOR_SHIFT;

	while (left) {
		unsigned int vecs = DIV_ROUND_UP((offset & ~PAGE_MASK) + left, PAGE_SIZE);
		struct bio *bio;

		bio = bio_alloc_bioset(bdev, bio_max_segs(vecs), opf, GFP_NOIO, bs);
		bio->bi_iter.bi_sector = sector;
		bio->bi_end_io = cc_batch_end_io;
		bio->bi_private = batch;
		while (left) {
			unsigned int in_page = offset & ~PAGE_MASK;
			unsigned int n = min_t(unsigned int, left, PAGE_SIZE - in_page);

			if (bio_add_page(bio, pages[offset >> PAGE_SHIFT], n, in_page) != n)
				break;
			offset += n;
			left -= n;
			sector += n >> SECTOR_SHIFT;
		}
		atomic_inc(&batch->pending);
		submit_bio(bio);
	}
}

void cc_batch_add(struct cowchain *cc, struct cc_batch *batch, struct block_device *bdev,
		  blk_opf_t opf, sector_t sector, struct page **pages,
		  unsigned int offset, unsigned int sectors)
{
	struct bio_set *bs = op_is_write(opf) ? &cc->bs : &cc->read_bs;

	cc_batch_add_from(bs, batch, bdev, opf, sector, pages, offset, sectors);
}

void cc_batch_add_top(struct cowchain *cc, struct cc_batch *batch, struct block_device *bdev,
		      blk_opf_t opf, sector_t sector, struct page **pages,
		      unsigned int offset, unsigned int sectors)
{
	cc_batch_add_from(&cc->bs, batch, bdev, opf, sector, pages, offset, sectors);
}

bool cc_pages_are_zero(struct page **pages, unsigned int offset, unsigned int bytes)
{
	while (bytes) {
		unsigned int in_page = offset_in_page(offset);
		unsigned int n = min_t(unsigned int, bytes, PAGE_SIZE - in_page);

		if (memchr_inv(page_address(pages[offset >> PAGE_SHIFT]) + in_page, 0, n))
			return false;
		offset += n;
		bytes -= n;
	}
	return true;
}

void cc_zero_pages(struct page **pages, unsigned int offset, unsigned int bytes)
{
	while (bytes) {
		unsigned int in_page = offset & ~PAGE_MASK;
		unsigned int n = min_t(unsigned int, bytes, PAGE_SIZE - in_page);

		memzero_page(pages[offset >> PAGE_SHIFT], in_page, n);
		offset += n;
		bytes -= n;
	}
}

/* ----------------------------------------------------------------- zeroing */

/* Pages; the array is on the stack. */
#define CC_ZEROS_PER_BIO	32

void cc_batch_add_zeros(struct cowchain *cc, struct cc_batch *batch, struct block_device *bdev,
			sector_t sector, u32 sectors)
{
	struct page *pages[CC_ZEROS_PER_BIO];
	unsigned int i;

	for (i = 0; i < CC_ZEROS_PER_BIO; i++)
		pages[i] = ZERO_PAGE(0);
	while (sectors) {
		u32 n = min_t(u32, sectors, CC_ZEROS_PER_BIO * PAGE_SECTORS);

		cc_batch_add(cc, batch, bdev, REQ_OP_WRITE, sector, pages, 0, n);
		sector += n;
		sectors -= n;
	}
}

int cc_write_zero_pages(struct cowchain *cc, struct block_device *bdev, sector_t sector,
			u32 sectors)
{
	struct cc_batch batch;

	cc_batch_init(&batch);
	cc_batch_add_zeros(cc, &batch, bdev, sector, sectors);
	return cc_batch_wait(&batch);
}

int cc_zero_device(struct cowchain *cc, struct block_device *bdev, sector_t sector, u32 sectors,
		   bool unmap)
{
	int r;

	r = blkdev_issue_zeroout(bdev, sector, sectors, GFP_NOIO,
				 BLKDEV_ZERO_NOFALLBACK | (unmap ? 0 : BLKDEV_ZERO_NOUNMAP));
	/*
	 * The device does not support it; or it is a loop device, which reports a full file system
	 * as EIO. Writing zeros as data yields the real error. Try only once: a second attempt
	 * could hide it.
	 */
	if (r == -EIO || r == -EOPNOTSUPP || r == -EREMOTEIO)
		r = cc_write_zero_pages(cc, bdev, sector, sectors);
	return r;
}
