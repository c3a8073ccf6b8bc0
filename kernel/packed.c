// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compressed data of a cluster, as it is on the layer's device.
 */
#include <linux/highmem.h>
#include <linux/slab.h>

#include "io.h"
#include "mode.h"
#include "packed.h"
#include "tail.h"

/* There need not be any; see CC_GFP_CHUNK in below.c. */
#define CC_GFP_PACKED	(GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN)

/* What a cluster of a sane image takes: it is not compressed if that makes it longer. */
static unsigned int cc_packed_nr(unsigned int cluster_bits)
{
	return DIV_ROUND_UP(1UL << cluster_bits, PAGE_SIZE) + 2;
}

static struct page **cc_pages_alloc(unsigned int nr, gfp_t gfp)
{
	struct page **page = kcalloc(nr, sizeof(*page), gfp);
	unsigned int i;

	if (!page)
		return NULL;
	for (i = 0; i < nr; i++) {
		page[i] = alloc_page(gfp);
		if (!page[i])
			break;
	}
	if (i == nr)
		return page;
	while (i)
		__free_page(page[--i]);
	kfree(page);
	return NULL;
}

static void cc_pages_free(struct page **page, unsigned int nr)
{
	unsigned int i;

	for (i = 0; page && i < nr; i++)
		__free_page(page[i]);
	kfree(page);
}

struct cc_packed_pages *cc_packed_pages_create(void)
{
	struct cc_packed_pages *reserve = kzalloc(sizeof(*reserve), GFP_KERNEL);

	if (reserve)
		mutex_init(&reserve->lock);
	return reserve;
}

void cc_packed_pages_destroy(struct cc_packed_pages *reserve)
{
	if (!reserve)
		return;
	cc_pages_free(reserve->page, reserve->nr);
	mutex_destroy(&reserve->lock);
	kfree(reserve);
}

/* Nobody uses it yet. */
int cc_packed_pages_grow(struct cc_packed_pages *reserve, unsigned int bits)
{
	unsigned int nr = cc_packed_nr(bits);
	struct page **page;

	if (reserve->nr >= nr)
		return 0;
	page = cc_pages_alloc(nr, GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	cc_pages_free(reserve->page, reserve->nr);
	reserve->page = page;
	reserve->nr = nr;
	return 0;
}

static void cc_packed_range(struct cc_layer *layer, u64 packed, struct cc_packed *p)
{
	u32 block = bdev_logical_block_size(layer->bdev);

	p->len = q2_packed_range(&layer->q2, packed, &p->offset);
	/* It may claim to go on behind the end of the file, where it does not begin. */
	p->len = min_t(u64, p->len, cc_data_bytes(layer) - p->offset);
	p->start = round_down(p->offset, block);
	p->end = min_t(u64, round_up(p->offset + p->len, block), layer->data_bytes);
	/* All of it may be in the tail. */
	p->end = max(p->start, p->end);
	p->nr = DIV_ROUND_UP(p->end - p->start, PAGE_SIZE);
}

/* Return: 0, or -ENOMEM if the data is longer than any in a sane image, and there is no memory. */
static int cc_packed_alloc(struct cc_layer *layer, struct cc_packed *p)
{
	struct cc_packed_pages *reserve = layer->cc->packed_pages;

	p->reserved = false;
	p->page = cc_pages_alloc(max(p->nr, 1U), CC_GFP_PACKED);
	if (p->page)
		return 0;
	if (p->nr > reserve->nr) {
		cc_err_limit(layer->cc, "layer %s: no memory for the compressed cluster at 0x%llx",
			     layer->name, p->offset);
		return -ENOMEM;
	}
	mutex_lock(&reserve->lock);
	p->page = reserve->page;
	p->reserved = true;
	return 0;
}

void cc_packed_free(struct cc_layer *layer, struct cc_packed *p)
{
	if (p->reserved)
		mutex_unlock(&layer->cc->packed_pages->lock);
	else
		cc_pages_free(p->page, max(p->nr, 1U));
}

static int cc_packed_read_pages(struct cc_layer *layer, struct cc_packed *p)
{
	struct cc_batch batch;

	cc_batch_init(&batch);
	if (p->end > p->start)
		cc_batch_add(layer->cc, &batch, layer->bdev, REQ_OP_READ,
			     p->start >> SECTOR_SHIFT, p->page, 0,
			     (p->end - p->start) >> SECTOR_SHIFT);
	return cc_batch_wait(&batch);
}

int cc_packed_read(struct cc_layer *layer, u64 packed, struct cc_packed *p)
{
	int r;

	cc_packed_range(layer, packed, p);
	r = cc_packed_alloc(layer, p);
	if (r)
		return r;
	r = cc_packed_read_pages(layer, p);
	if (r) {
		cc_packed_free(layer, p);
		cc_err_limit(layer->cc,
			     "layer %s: cannot read the compressed cluster at 0x%llx: error %d",
			     layer->name, p->offset, r);
	}
	return r;
}

void cc_packed_gather(struct cc_layer *layer, const struct cc_packed *p, u8 *to)
{
	u32 skip = p->offset - p->start, n;
	u64 there = p->end > p->offset ? min_t(u64, p->len, p->end - p->offset) : 0;
	u32 done;

	for (done = 0; done < there; done += n) {
		u32 at = skip + done;

		n = min_t(u32, there - done, PAGE_SIZE - offset_in_page(at));
		memcpy_from_page(to + done, p->page[at >> PAGE_SHIFT], offset_in_page(at), n);
	}
	if (done < p->len)
		cc_tail_read(layer->tail, p->offset + done - layer->data_bytes, to + done,
			     p->len - done);
}
