// SPDX-License-Identifier: GPL-2.0-only
/*
 * State of a virtio device: features, status, reset.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <string.h>
#include <sys/eventfd.h>

#include "util.h"
#include "virtio.h"

#define STATUS_KNOWN (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
		      VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FEATURES_OK | \
		      VIRTIO_CONFIG_S_FAILED)

#define ISR_QUEUE	1

static void reset_state(struct virtio_device *dev)
{
	dev->accepted = 0;
	dev->status = 0;
	dev->started = false;
	dev->resetting = false;
	dev->config_vector = VIRTIO_NO_VECTOR;
	atomic_store(&dev->config_call_fd, -1);
	atomic_store(&dev->isr, 0);
	for (unsigned int i = 0; i < dev->nqueues; i++) {
		struct virtio_queue *q = &dev->queue[i];

		memset(&q->cfg, 0, sizeof(q->cfg));
		q->cfg.size = VQ_MAX_SIZE;
		q->enabled = false;
		q->vector = VIRTIO_NO_VECTOR;
		atomic_store(&q->call_fd, -1);
	}
}

int virtio_init(struct virtio_device *dev, unsigned int nqueues)
{
	dev->nqueues = nqueues;
	pthread_mutex_init(&dev->lock, NULL);
	for (unsigned int i = 0; i < nqueues; i++) {
		dev->queue[i].kick_fd = eventfd(0, EFD_CLOEXEC);
		if (dev->queue[i].kick_fd < 0)
			return -errno;
	}
	reset_state(dev);
	return 0;
}

uint8_t virtio_status(const struct virtio_device *dev)
{
	return dev->status;
}

static bool features_ok(const struct virtio_device *dev)
{
	return !(dev->accepted & ~dev->offered) && virtio_has(dev, VIRTIO_F_VERSION_1);
}

/*
 * Bits are only added, until a write of 0 requests a reset. If the device is in use, the reset
 * takes as long as its I/O; until then the register keeps its value, which drivers poll, and no
 * vCPU waits here.
 */
void virtio_write_status(struct virtio_device *dev, uint8_t status)
{
	uint8_t added = status & STATUS_KNOWN & ~dev->status;

	if (dev->resetting)
		return;
	if (!status) {
		if (dev->started) {
			dev->resetting = true;
			dev->ops->reset(dev);
		} else {
			reset_state(dev);
		}
		return;
	}
	if (added & VIRTIO_CONFIG_S_FEATURES_OK && !features_ok(dev))
		added &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	dev->status |= added;
	if (added & VIRTIO_CONFIG_S_DRIVER_OK && dev->status & VIRTIO_CONFIG_S_FEATURES_OK) {
		dev->started = true;
		dev->ops->start(dev);
	}
}

/* Lock held. */
static void notify_config(struct virtio_device *dev)
{
	int fd = atomic_load(&dev->config_call_fd);

	atomic_fetch_or(&dev->isr, VIRTIO_PCI_ISR_CONFIG);
	if (fd >= 0)
		event_signal(fd);
}

void virtio_config_changed(struct virtio_device *dev)
{
	dev->config_generation++;
	notify_config(dev);
}

void virtio_needs_reset(struct virtio_device *dev, const char *rule)
{
	say_guest("the guest's virtio driver broke a rule: %s; the device needs a reset", rule);
	pthread_mutex_lock(&dev->lock);
	dev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	notify_config(dev);
	pthread_mutex_unlock(&dev->lock);
}

void virtio_reset_done(struct virtio_device *dev)
{
	pthread_mutex_lock(&dev->lock);
	reset_state(dev);
	pthread_mutex_unlock(&dev->lock);
}

void virtio_interrupt(struct virtio_device *dev, unsigned int queue)
{
	int fd = atomic_load(&dev->queue[queue].call_fd);

	atomic_fetch_or(&dev->isr, ISR_QUEUE);
	if (fd >= 0)
		event_signal(fd);
}
