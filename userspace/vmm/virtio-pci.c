// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI transport of virtio.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stddef.h>
#include <string.h>

#include "util.h"
#include "virtio-pci.h"

#define VIRTIO_VENDOR		0x1af4
#define VIRTIO_DEVICE_BASE	0x1040

/* BAR 0 has a page for each structure, with notifications 4 bytes apart. BAR 1 is for MSI-X. */
#define BAR_REGISTERS		0
#define BAR_MSIX		1
#define COMMON_OFFSET		0x0000
#define ISR_OFFSET		0x1000
#define DEVICE_OFFSET		0x2000
#define NOTIFY_OFFSET		0x3000
#define REGISTERS_SIZE		0x4000
#define STRUCTURE_SIZE		0x1000
#define NOTIFY_MULTIPLIER	4

#define COMMON_LEN		offsetofend(struct virtio_pci_common_cfg, queue_used_hi)
#define offsetofend(type, m)	(offsetof(type, m) + sizeof(((type *)0)->m))

static struct virtio_queue *selected_queue(struct virtio_pci *vp)
{
	struct virtio_device *dev = vp->vdev;

	return vp->queue_select < dev->nqueues ? &dev->queue[vp->queue_select] : NULL;
}

static uint32_t feature_word(uint64_t features, uint32_t select)
{
	return select < 2 ? features >> (32 * select) : 0;
}

/*
 * The whole structure with its current values: simpler than a case for each field, and accesses are
 * rare.
 */
static void read_common(struct virtio_pci *vp, uint32_t off, void *data, unsigned int len)
{
	const struct virtio_device *dev = vp->vdev;
	const struct virtio_queue *q = selected_queue(vp);
	struct virtio_pci_common_cfg c = {
		.device_feature_select = vp->device_feature_select,
		.device_feature = feature_word(dev->offered, vp->device_feature_select),
		.guest_feature_select = vp->driver_feature_select,
		.guest_feature = feature_word(dev->accepted, vp->driver_feature_select),
		.msix_config = dev->config_vector,
		.num_queues = dev->nqueues,
		.device_status = virtio_status(dev),
		.config_generation = dev->config_generation,
		.queue_select = vp->queue_select,
	};

	if (q) {
		c.queue_size = q->cfg.size;
		c.queue_msix_vector = q->vector;
		c.queue_enable = q->enabled;
		c.queue_notify_off = vp->queue_select;
		c.queue_desc_lo = q->cfg.desc;
		c.queue_desc_hi = q->cfg.desc >> 32;
		c.queue_avail_lo = q->cfg.avail;
		c.queue_avail_hi = q->cfg.avail >> 32;
		c.queue_used_lo = q->cfg.used;
		c.queue_used_hi = q->cfg.used >> 32;
	}
	memset(data, 0, len);
	if (off + len <= COMMON_LEN)
		memcpy(data, (uint8_t *)&c + off, len);
}

static void set_low(uint64_t *field, uint32_t val)
{
	*field = (*field & ~0xffffffffULL) | val;
}

static void set_high(uint64_t *field, uint32_t val)
{
	*field = (*field & 0xffffffffULL) | (uint64_t)val << 32;
}

/* An enabled queue must not change: the device may be using it already. */
static void write_queue(struct virtio_pci *vp, uint32_t off, uint32_t val)
{
	struct virtio_queue *q = selected_queue(vp);

	if (!q || q->enabled)
		return;
	switch (off) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		q->cfg.size = val;
		break;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		q->enabled = val == 1;
		break;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		set_low(&q->cfg.desc, val);
		break;
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		set_high(&q->cfg.desc, val);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		set_low(&q->cfg.avail, val);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		set_high(&q->cfg.avail, val);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		set_low(&q->cfg.used, val);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		set_high(&q->cfg.used, val);
		break;
	}
}

static uint16_t set_vector(struct virtio_pci *vp, _Atomic int *call_fd, uint16_t vector)
{
	int fd = msix_fd(&vp->msix, vector);

	atomic_store(call_fd, fd);
	return fd < 0 ? VIRTIO_NO_VECTOR : vector;
}

static void write_features(struct virtio_pci *vp, uint32_t val)
{
	struct virtio_device *dev = vp->vdev;

	if (dev->status & VIRTIO_CONFIG_S_FEATURES_OK)
		return;
	if (vp->driver_feature_select == 0)
		set_low(&dev->accepted, val);
	else if (vp->driver_feature_select == 1)
		set_high(&dev->accepted, val);
}

/* Width of the field at `off`, 0 if no field begins there: drivers must access whole fields. */
static unsigned int field_width(uint32_t off)
{
	switch (off) {
	case VIRTIO_PCI_COMMON_STATUS:
		return 1;
	case VIRTIO_PCI_COMMON_MSIX:
	case VIRTIO_PCI_COMMON_Q_SELECT:
	case VIRTIO_PCI_COMMON_Q_SIZE:
	case VIRTIO_PCI_COMMON_Q_MSIX:
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		return 2;
	default:
		return off % 4 ? 0 : 4;
	}
}

static void write_common(struct virtio_pci *vp, uint32_t off, const void *data, unsigned int len)
{
	struct virtio_device *dev = vp->vdev;
	struct virtio_queue *q;
	uint32_t val = 0;

	if (len != field_width(off) || dev->resetting)
		return;
	memcpy(&val, data, len);
	switch (off) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		vp->device_feature_select = val;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		vp->driver_feature_select = val;
		break;
	case VIRTIO_PCI_COMMON_GF:
		write_features(vp, val);
		break;
	case VIRTIO_PCI_COMMON_MSIX:
		dev->config_vector = set_vector(vp, &dev->config_call_fd, val);
		break;
	case VIRTIO_PCI_COMMON_STATUS:
		virtio_write_status(dev, val);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		vp->queue_select = val;
		break;
	case VIRTIO_PCI_COMMON_Q_MSIX:
		q = selected_queue(vp);
		if (q)
			q->vector = set_vector(vp, &q->call_fd, val);
		break;
	default:
		write_queue(vp, off, val);
	}
}

static void read_isr(struct virtio_device *dev, void *data, unsigned int len)
{
	memset(data, 0, len);
	*(uint8_t *)data = atomic_exchange(&dev->isr, 0);
}

static void access_device_config(struct virtio_device *dev, uint32_t off, void *data,
				 unsigned int len, bool write)
{
	bool inside = off + len <= dev->config_len;

	if (!write)
		memset(data, 0, len);
	if (write && inside && !dev->resetting)
		dev->ops->config_write(dev, off, data, len);
	else if (!write && inside)
		dev->ops->config_read(dev, off, data, len);
}

static void access_registers(struct virtio_pci *vp, uint32_t off, void *data, unsigned int len,
			     bool write)
{
	struct virtio_device *dev = vp->vdev;
	uint32_t in = off % STRUCTURE_SIZE;

	switch (off - in) {
	case COMMON_OFFSET:
		if (write)
			write_common(vp, in, data, len);
		else
			read_common(vp, in, data, len);
		break;
	case ISR_OFFSET:
		if (!write && !in)
			read_isr(dev, data, len);
		break;
	case DEVICE_OFFSET:
		access_device_config(dev, in, data, len, write);
		break;
	case NOTIFY_OFFSET:
		/* KVM handles these writes; they get here only while a BAR is being moved. */
		if (write && in / NOTIFY_MULTIPLIER < dev->nqueues)
			event_signal(dev->queue[in / NOTIFY_MULTIPLIER].kick_fd);
		break;
	}
}

static void bar_access(struct pci_device *pci, unsigned int bar, uint32_t off, void *data,
		       unsigned int len, bool write)
{
	struct virtio_pci *vp = container_of(pci, struct virtio_pci, pci);

	pthread_mutex_lock(&vp->vdev->lock);
	if (bar == BAR_REGISTERS)
		access_registers(vp, off, data, len, write);
	else
		msix_access(&vp->msix, off, data, len, write);
	pthread_mutex_unlock(&vp->vdev->lock);
}

static void set_notifications(struct virtio_pci *vp, uint32_t base, bool on)
{
	int err;

	for (unsigned int i = 0; i < vp->vdev->nqueues; i++) {
		err = irq_ioeventfd(vp->msix.irq, base + NOTIFY_OFFSET + i * NOTIFY_MULTIPLIER,
				    vp->vdev->queue[i].kick_fd, on);
		/*
		 * Without it the write ends up in access_registers(), which is slower but correct.
		 */
		if (err && on)
			say_guest("cannot set a notification at %#x: %s", base, strerror(-err));
	}
}

/* Follow BAR 0 to where the guest moves it, and the enable bits of MSI-X. Bus lock held. */
static void config_changed(struct pci_device *pci)
{
	struct virtio_pci *vp = container_of(pci, struct virtio_pci, pci);
	uint32_t base = pci_bar_address(pci, BAR_REGISTERS);
	uint16_t control;

	pthread_mutex_lock(&vp->vdev->lock);
	if (base != vp->notify_at) {
		if (vp->notify_at)
			set_notifications(vp, vp->notify_at, false);
		if (base)
			set_notifications(vp, base, true);
		vp->notify_at = base;
	}
	memcpy(&control, pci->config + vp->msix_cap + PCI_MSIX_FLAGS, sizeof(control));
	msix_control(&vp->msix, control);
	pthread_mutex_unlock(&vp->vdev->lock);
}

static void add_structure(struct pci_device *pci, uint8_t type, uint32_t offset)
{
	struct virtio_pci_notify_cap c = {
		.cap = {
			.cap_len = type == VIRTIO_PCI_CAP_NOTIFY_CFG ? sizeof(c) : sizeof(c.cap),
			.cfg_type = type,
			.bar = BAR_REGISTERS,
			.offset = offset,
			.length = STRUCTURE_SIZE,
		},
		.notify_off_multiplier = NOTIFY_MULTIPLIER,
	};

	pci_add_cap(pci, PCI_CAP_ID_VNDR, (uint8_t *)&c + 2, c.cap.cap_len - 2);
}

static void add_msix(struct virtio_pci *vp, unsigned int nvectors)
{
	struct {
		uint16_t control;
		uint32_t table, pba;
	} __attribute__((packed)) c = {
		.control = nvectors - 1,
		.table = BAR_MSIX,
		.pba = MSIX_PBA_OFFSET | BAR_MSIX,
	};
	const uint16_t writable = PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL;

	vp->msix_cap = pci_add_cap(&vp->pci, PCI_CAP_ID_MSIX, &c, sizeof(c));
	memcpy(vp->pci.writable + vp->msix_cap + PCI_MSIX_FLAGS, &writable, sizeof(writable));
}

int virtio_pci_attach(struct virtio_pci *vp, struct virtio_device *vdev, struct pci_bus *pci,
		      struct irq_router *irq, unsigned int gsi_base)
{
	int err;

	memset(vp, 0, sizeof(*vp));
	vp->vdev = vdev;
	err = msix_init(&vp->msix, irq, gsi_base, vdev->nqueues + 1);
	if (err)
		return err;
	pci_identify(&vp->pci, VIRTIO_VENDOR, VIRTIO_DEVICE_BASE + vdev->id, vdev->pci_class, 1);
	add_structure(&vp->pci, VIRTIO_PCI_CAP_COMMON_CFG, COMMON_OFFSET);
	add_structure(&vp->pci, VIRTIO_PCI_CAP_NOTIFY_CFG, NOTIFY_OFFSET);
	add_structure(&vp->pci, VIRTIO_PCI_CAP_ISR_CFG, ISR_OFFSET);
	add_structure(&vp->pci, VIRTIO_PCI_CAP_DEVICE_CFG, DEVICE_OFFSET);
	add_msix(vp, vdev->nqueues + 1);
	vp->pci.bar_size[BAR_REGISTERS] = REGISTERS_SIZE;
	vp->pci.bar_size[BAR_MSIX] = MSIX_BAR_SIZE;
	vp->pci.config_changed = config_changed;
	vp->pci.bar_access = bar_access;
	pci_add(pci, &vp->pci);
	return 0;
}
