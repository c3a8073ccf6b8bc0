// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: the input is the memory of a guest, which the device's side processes as in
 * blk.c.
 *
 * Memory has exactly the right size, so that AddressSanitizer sees any access outside. What the
 * parser returns is checked against its promises and then used. Between the steps the memory
 * changes, as other processors of a hostile guest could change it.
 */
#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "blk-request.h"
#include "virtqueue.h"

#define LOW_BYTES	2048
#define HIGH_GPA	0x100000000ULL
#define HIGH_BYTES	128
#define RING_SIZE	8
#define DESC_GPA	0
#define AVAIL_GPA	128
#define USED_GPA	160
#define MAX_STEPS	64

struct input {
	uint8_t flags;
	uint8_t when;		/* the step after which memory changes */
	uint16_t where;
	uint8_t what;
	uint8_t index;		/* available index, which a run needs to get anywhere */
	uint8_t pad[2];
};

#define F_INDIRECT	0x01
#define F_EVENT_IDX	0x02
#define F_READONLY	0x04
#define F_BIG_BLOCKS	0x08
#define F_NEAR		0x10	/* reduce addresses to existing memory */
#define F_KEEP		0x20	/* leave requests in flight */
#define F_WILD_RING	0x40	/* take ring addresses from the input, too */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int ok)
{
	if (!ok)
		abort();
}

static int in_memory(const struct guest_mem *mem, const struct iovec *v)
{
	const uint8_t *p = v->iov_base;

	for (unsigned int i = 0; i < mem->nregions; i++) {
		const struct mem_region *r = &mem->region[i];

		if (p >= r->hva && p < r->hva + r->size)
			return v->iov_len && v->iov_len <= (size_t)(r->hva + r->size - p);
	}
	return 0;
}

static void check_list(const struct guest_mem *mem, const struct iov_list *l)
{
	for (unsigned int i = 0; i < l->n; i++)
		check(in_memory(mem, &l->v[i]));
}

/* What blk-io and blk-slow rely on. The buffers are used as well. */
static void check_request(const struct guest_mem *mem, const struct blk_limits *lim,
			  struct blk_request *rq)
{
	uint8_t buf[64];

	switch (rq->op) {
	case BLK_READ:
	case BLK_WRITE:
		check(rq->len && rq->len == iov_bytes(&rq->data));
		check(!(rq->offset % lim->block_size) && !(rq->len % lim->block_size));
		check(rq->offset <= lim->capacity && rq->len <= lim->capacity - rq->offset);
		check_list(mem, &rq->data);
		iov_aligned(&rq->data, 512);
		iov_read(&rq->data, rq->len / 2, buf, sizeof(buf));
		if (rq->op == BLK_READ)
			iov_write(&rq->data, rq->len / 3, buf, sizeof(buf));
		check(rq->op == BLK_READ || !lim->readonly);
		iov_drop_front(&rq->data, rq->len / 2);
		check_list(mem, &rq->data);
		break;
	case BLK_DISCARD:
	case BLK_WRITE_ZEROES:
		check(rq->nranges && rq->nranges <= BLK_MAX_RANGES && !lim->readonly);
		for (unsigned int i = 0; i < rq->nranges; i++) {
			check(rq->range[i].offset <= lim->capacity);
			check(rq->range[i].len <= lim->capacity - rq->range[i].offset);
		}
		break;
	case BLK_FLUSH:
		break;
	case BLK_ANSWER:
		check(rq->answer <= VIRTIO_BLK_S_UNSUPP);
		break;
	}
}

static void bring_near(uint8_t *low)
{
	struct vring_desc d;

	for (size_t at = 0; at + sizeof(d) <= LOW_BYTES; at += sizeof(d)) {
		if (at >= AVAIL_GPA && at < 256)
			continue;
		memcpy(&d, low + at, sizeof(d));
		d.addr = (d.addr & 0x800 ? HIGH_GPA : 0) + (d.addr & 0x7ff);
		d.len &= 0x3ff;
		d.flags &= 7;
		d.next &= 7;
		memcpy(low + at, &d, sizeof(d));
	}
}

static void drive(struct guest_mem *mem, const struct input *in, const struct vq_config *cfg)
{
	struct blk_limits lim = {
		.capacity = 1 << 20,
		.block_size = in->flags & F_BIG_BLOCKS ? 4096 : 512,
		.memory_align = 512,
		.max_discard = 1 << 16,
		.max_write_zeroes = 1 << 16,
		.readonly = in->flags & F_READONLY,
	};
	static struct vq_chain chain;
	struct virtqueue vq;
	struct blk_request rq;
	uint8_t *low = mem->region[0].hva;

	if (vq_init(&vq, mem, cfg, in->flags & F_INDIRECT, in->flags & F_EVENT_IDX)) {
		check(vq.broken != NULL);
		return;
	}
	for (int step = 0; step < MAX_STEPS; step++) {
		int r;

		vq_kicks_off(&vq);
		r = vq_pop(&vq, &chain);
		check((r < 0) == (vq.broken != NULL));
		if (r <= 0)
			break;
		check(chain.out.n + chain.in.n <= vq.max_chain && chain.head < vq.size);
		check(vq.in_flight && vq.in_flight <= vq.size);
		check_list(mem, &chain.out);
		check_list(mem, &chain.in);
		if (step == in->when)
			memset(low + in->where % LOW_BYTES, in->what,
			       LOW_BYTES - in->where % LOW_BYTES);
		if (blk_parse(&rq, &lim, &chain))
			break;
		check(in_memory(mem, &(struct iovec) { rq.status, 1 }));
		check_request(mem, &lim, &rq);
		blk_answer(&rq, VIRTIO_BLK_S_OK);
		if (!(in->flags & F_KEEP) || step % 3)
			vq_push(&vq, chain.head, rq.written);
		vq_interrupt_due(&vq);
		vq_kicks_on(&vq);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vq_config cfg = { RING_SIZE, DESC_GPA, AVAIL_GPA, USED_GPA };
	static uint8_t *low, *high;
	struct guest_mem mem;
	struct input in;

	if (size < sizeof(in))
		return -1;
	memcpy(&in, data, sizeof(in));
	data += sizeof(in);
	size -= sizeof(in);

	if (!low) {
		low = malloc(LOW_BYTES);
		high = malloc(HIGH_BYTES);
	}
	memset(low, 0, LOW_BYTES);
	memset(high, 0, HIGH_BYTES);
	memcpy(low, data, size < LOW_BYTES ? size : LOW_BYTES);
	if (in.flags & F_NEAR)
		bring_near(low);
	memset(low + AVAIL_GPA + 2, 0, 2);
	low[AVAIL_GPA + 2] = in.index;
	if (in.flags & F_WILD_RING && size >= sizeof(cfg))
		memcpy(&cfg, data + size - sizeof(cfg), sizeof(cfg));

	mem = (struct guest_mem) {
		.nregions = 2,
		.region = { { 0, LOW_BYTES, low }, { HIGH_GPA, HIGH_BYTES, high } },
	};
	drive(&mem, &in, &cfg);
	return 0;
}
