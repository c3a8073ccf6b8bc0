/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver's side of a virtqueue: a small guest memory with one ring, and functions that fill the
 * ring as requested, also incorrectly.
 *
 *     0x00000  64 KiB for ring and descriptors; a second region of 4 KiB lies at 4 GiB
 *     0x10000  1 MiB for data
 */
#ifndef VMM_TESTS_DRIVER_H
#define VMM_TESTS_DRIVER_H

#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "virtqueue.h"

#define MEM_BYTES	0x110000UL
#define HIGH_GPA	0x100000000UL
#define HIGH_BYTES	0x1000UL
#define DESC_GPA	0x0000UL
#define AVAIL_GPA	0x4000UL
#define USED_GPA	0x5000UL
#define TABLE_GPA	0x8000UL	/* indirect tables */
#define DATA_GPA	0x10000UL

struct driver {
	struct guest_mem mem;
	uint16_t size;
	uint16_t next_desc;
	struct vring_desc *desc;
	uint16_t *avail;
	uint8_t *used;
	uint16_t seen;			/* used entries processed */
	uint16_t kicked;		/* available index at the last notification */
};

static inline void *at(struct driver *d, uint64_t gpa)
{
	return d->mem.region[0].hva + gpa;
}

static inline void driver_init(struct driver *d, uint16_t size)
{
	memset(d, 0, sizeof(*d));
	d->size = size;
	d->mem.nregions = 2;
	d->mem.region[0] = (struct mem_region) { 0, MEM_BYTES, aligned_alloc(4096, MEM_BYTES) };
	d->mem.region[1] = (struct mem_region) { HIGH_GPA, HIGH_BYTES,
						 aligned_alloc(4096, HIGH_BYTES) };
	memset(d->mem.region[0].hva, 0, MEM_BYTES);
	memset(d->mem.region[1].hva, 0, HIGH_BYTES);
	d->desc = at(d, DESC_GPA);
	d->avail = at(d, AVAIL_GPA);
	d->used = at(d, USED_GPA);
}

static inline void driver_free(struct driver *d)
{
	free(d->mem.region[0].hva);
	free(d->mem.region[1].hva);
}

static inline struct vq_config driver_config(const struct driver *d)
{
	return (struct vq_config) { d->size, DESC_GPA, AVAIL_GPA, USED_GPA };
}

static inline void set_desc(struct driver *d, uint16_t i, uint64_t addr, uint32_t len,
			    uint16_t flags, uint16_t next)
{
	d->desc[i] = (struct vring_desc) { addr, len, flags, next };
}

/* Make descriptor `head` available. */
static inline void offer(struct driver *d, uint16_t head)
{
	uint16_t idx = d->avail[1];

	d->avail[2 + idx % d->size] = head;
	__atomic_store_n(&d->avail[1], idx + 1, __ATOMIC_RELEASE);
}

static inline uint16_t used_count(struct driver *d)
{
	return __atomic_load_n((uint16_t *)(d->used + 2), __ATOMIC_ACQUIRE);
}

static inline struct vring_used_elem used_at(struct driver *d, uint16_t i)
{
	return ((struct vring_used_elem *)(d->used + 4))[i % d->size];
}

#endif
