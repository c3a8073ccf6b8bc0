/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio 1.x device without its transport: features, status, queues (virtio 1.2, section 2).
 *
 * Registers are handled on vCPU threads under `lock`. The data path is on a thread of the device.
 * The two meet only here: start() and reset() wake the thread, which answers with
 * virtio_needs_reset() and virtio_reset_done().
 */
#ifndef VMM_VIRTIO_H
#define VMM_VIRTIO_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "virtqueue.h"

#define VIRTIO_MAX_QUEUES	16
#define VIRTIO_NO_VECTOR	0xffff

#define FEATURE(bit)		(1ULL << (bit))

struct virtio_device;

struct virtio_ops {
	void (*config_read)(struct virtio_device *dev, uint32_t off, void *data, unsigned int len);
	void (*config_write)(struct virtio_device *dev, uint32_t off, const void *data,
			     unsigned int len);
	/*
	 * The driver is ready: dev->queue[] may be used. Called with the lock held; must not block.
	 */
	void (*start)(struct virtio_device *dev);
	/* Finish what is in flight, then call virtio_reset_done(). Lock held; must not block. */
	void (*reset)(struct virtio_device *dev);
};

struct virtio_queue {
	struct vq_config cfg;
	bool enabled;
	uint16_t vector;
	int kick_fd;			/* signalled by the guest; blocking, as io_uring needs it */
	_Atomic int call_fd;		/* interrupts the guest; -1: no vector */
};

struct virtio_device {
	const struct virtio_ops *ops;
	const struct guest_mem *mem;
	uint16_t id;			/* virtio device id */
	uint32_t pci_class;
	uint64_t offered;
	uint32_t config_len;

	pthread_mutex_t lock;		/* protects everything below that is not atomic */
	uint64_t accepted;
	uint8_t status;
	bool started;			/* between start() and the completion of a reset */
	bool resetting;			/* the driver wrote 0, but the device is still busy */
	unsigned int nqueues;
	struct virtio_queue queue[VIRTIO_MAX_QUEUES];
	uint16_t config_vector;
	uint8_t config_generation;	/* counts changes that the driver has not made */
	_Atomic int config_call_fd;
	_Atomic uint8_t isr;
};

int virtio_init(struct virtio_device *dev, unsigned int nqueues);

/* The device status register. Lock held. */
uint8_t virtio_status(const struct virtio_device *dev);
void virtio_write_status(struct virtio_device *dev, uint8_t status);

static inline bool virtio_has(const struct virtio_device *dev, unsigned int bit)
{
	return dev->accepted & FEATURE(bit);
}

/* On the thread of the device: the driver broke a rule. Informs the user and the driver. */
void virtio_needs_reset(struct virtio_device *dev, const char *rule);

/*
 * The device's configuration has changed: tell the driver. By any thread. Lock held since before the
 * change: a driver that reads a field in two halves must not find one generation with two values.
 */
void virtio_config_changed(struct virtio_device *dev);

/* On the thread of the device: nothing is in flight any more. */
void virtio_reset_done(struct virtio_device *dev);

/* On the thread of the device: interrupt the driver for a queue. */
void virtio_interrupt(struct virtio_device *dev, unsigned int queue);

#endif
