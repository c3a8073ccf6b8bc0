// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verifies what a job copies: each range that was written is read back and compared with the pages
 * it was written from.
 *
 * This is a part of the copy: it comes before the bits are set, and while nobody else can write
 * there, which a stream owes to its cells, and a commit to being the only one who writes to its
 * base. So what differs is no write of the guest, and no subcluster of a top becomes allocated
 * before it was found to be right. A difference is an error of the copy, like one of the write: the
 * cursor returns to it, and the header does not change before everything has been copied without
 * one. The layers that were copied are still in the chain then and are what is read, so the guest
 * never reads what is wrong.
 *
 * Zeros that only got a bit are not on the device, so there is nothing to be read; nor is what the
 * target had before.
 *
 * What is read is what the device returns: a loop device without direct I/O has it in the page
 * cache, a disk perhaps in a cache of its own. So this finds what was written to the wrong place or
 * not at all, or changed on its way, by what lies below this target; whether it is still there
 * after a power loss depends on flushes, as ever.
 *
 * The pages to read to are there before the job starts. The bios are of the set for I/O to the top,
 * since they do not wait for layers below; a copy has given back those of its write by then.
 */
#include <linux/slab.h>
#include <linux/string.h>

#include "io.h"
#include "top.h"
#include "verify.h"

/* -------------------------------------------------------------------- life */

static int cc_verify_alloc(struct cc_copy *c)
{
	unsigned int i;

	c->back = kcalloc(CC_COPY_PAGES, sizeof(*c->back), GFP_KERNEL);
	for (i = 0; c->back && i < CC_COPY_PAGES; i++) {
		c->back[i] = alloc_page(GFP_KERNEL);
		if (!c->back[i])
			return -ENOMEM;
	}
	return c->back ? 0 : -ENOMEM;
}

int cc_verify_create(struct cc_job *job)
{
	unsigned int i;
	int r = 0;

	job->verify = true;
	for (i = 0; i < CC_NR_COPIES && !r; i++)
		r = cc_verify_alloc(&job->copy[i]);
	return r;
}

void cc_verify_free(struct cc_copy *c)
{
	unsigned int i;

	for (i = 0; c->back && i < CC_COPY_PAGES; i++)
		if (c->back[i])
			__free_page(c->back[i]);
	kfree(c->back);
}

/* ----------------------------------------------------------------- compare */

static void *cc_verify_at(struct page **pages, unsigned int offset)
{
	return page_address(pages[offset >> PAGE_SHIFT]) + offset_in_page(offset);
}

/* Is this sector right? It lies in one page. */
static bool cc_verify_same(struct cc_copy *c, unsigned int offset, bool zeros)
{
	void *back = cc_verify_at(c->back, offset);

	if (zeros)
		return !memchr_inv(back, 0, SECTOR_SIZE);
	return !memcmp(back, cc_verify_at(c->pages, offset), SECTOR_SIZE);
}

static struct cc_layer *cc_verify_layer(struct cc_copy *c)
{
	return c->b ? c->b->top->layer : c->job->target;
}

/* Name the place, on the device and on the guest's disk. Return: @error. */
static int cc_verify_failed(struct cc_copy *c, sector_t sector, unsigned int offset, int error)
{
	struct cc_layer *layer = cc_verify_layer(c);
	u64 pos = ((u64)c->pos << SECTOR_SHIFT) + offset;

	if (error == -EILSEQ)
		cc_layer_err(layer, "verify: offset %llu of the disk: device %s, sector %llu: what is read is not what the %s wrote there",
			     pos, layer->data_name, (u64)sector, c->job->ops->name);
	else
		cc_layer_err(layer, "verify: offset %llu of the disk: device %s, sector %llu: cannot read what the %s wrote there: error %d",
			     pos, layer->data_name, (u64)sector, c->job->ops->name, error);
	return error;
}

static int cc_verify_range(struct cc_copy *c, sector_t sector, u32 sectors, unsigned int offset,
			   bool zeros)
{
	struct cc_batch batch;
	u32 i;
	int r;

	cc_batch_init(&batch);
	cc_batch_add_top(c->job->cc, &batch, cc_data_bdev(cc_verify_layer(c)), REQ_OP_READ, sector,
			 c->back, offset, sectors);
	r = cc_batch_wait(&batch);
	if (r)
		return cc_verify_failed(c, sector, offset, r);
	for (i = 0; i < sectors; i++, offset += SECTOR_SIZE)
		if (!cc_verify_same(c, offset, zeros))
			return cc_verify_failed(c, sector + i, offset, -EILSEQ);
	atomic64_add((u64)sectors << SECTOR_SHIFT, &c->job->verified);
	return 0;
}

int cc_verify_block(struct cc_copy *c, u32 rel, u32 sectors, unsigned int offset, bool zeros)
{
	int r = 0;

	while (c->back && sectors && !r) {
		u32 len = sectors;
		sector_t sector = cc_block_sector(c->b, rel, &len);

		r = cc_verify_range(c, sector, len, offset, zeros);
		rel += len;
		sectors -= len;
		offset += len << SECTOR_SHIFT;
	}
	return r;
}

int cc_verify_raw(struct cc_copy *c, u32 from, u32 sectors)
{
	if (!c->back)
		return 0;
	return cc_verify_range(c, c->pos + from, sectors, from << SECTOR_SHIFT, false);
}
