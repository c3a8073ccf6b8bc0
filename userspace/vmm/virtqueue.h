/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Split virtqueues (virtio 1.2, section 2.7), the device's side.
 *
 * Pure code over a guest memory table: no system calls, locks or allocations. Whatever the guest
 * writes into a ring or a descriptor is read once and checked here and nowhere else; a chain from
 * vq_pop() consists of valid host pointers.
 *
 * Only one thread at a time may use a queue.
 */
#ifndef VMM_VIRTQUEUE_H
#define VMM_VIRTQUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "guest-mem.h"
#include "iov.h"

#define VQ_MAX_SIZE 256

/* The addresses of the queue, exactly as the driver wrote them. */
struct vq_config {
	uint16_t size;
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
};

struct virtqueue {
	const struct guest_mem *mem;
	const uint8_t *desc;		/* struct vring_desc[size] */
	const uint16_t *avail;		/* flags, idx, ring[size], used_event */
	uint8_t *used;			/* flags, idx, { id, len }[size], avail_event */
	uint16_t size;
	uint16_t max_chain;		/* segments of one */
	bool indirect;			/* VIRTIO_RING_F_INDIRECT_DESC was negotiated */
	bool event_idx;			/* VIRTIO_RING_F_EVENT_IDX was negotiated */

	uint16_t last_avail;		/* next available entry to look at */
	uint16_t used_idx;		/* value of the used index */
	uint16_t told_idx;		/* used_idx at the last vq_interrupt_due() */
	uint16_t in_flight;		/* chains popped and not pushed yet */
	const char *broken;		/* rule that the driver broke; final */
};

/* A descriptor chain: what the device may read, followed by what it may write, in one array. */
struct vq_chain {
	uint16_t head;
	struct iov_list out;
	struct iov_list in;
	struct iovec iov[VQ_MAX_SIZE];
};

/* Returns 0, or -EPROTO with vq->broken set. */
int vq_init(struct virtqueue *vq, const struct guest_mem *mem, const struct vq_config *cfg,
	    bool indirect, bool event_idx);

/*
 * Returns 1 and a chain; 0 if nothing is available; -EPROTO with vq->broken set if the driver broke
 * a rule.
 */
int vq_pop(struct virtqueue *vq, struct vq_chain *chain);

/* Return the chain that begins at `head` to the driver; the device wrote `len` bytes into it. */
void vq_push(struct virtqueue *vq, uint16_t head, uint32_t len);

/* Does the driver want an interrupt for what was pushed since the last call? */
bool vq_interrupt_due(struct virtqueue *vq);

/* Turn notifications off while the device is processing the queue anyway. */
void vq_kicks_off(struct virtqueue *vq);

/*
 * Turn notifications on again. Returns true if something arrived meanwhile: check the queue once
 * more.
 */
bool vq_kicks_on(struct virtqueue *vq);

#endif
