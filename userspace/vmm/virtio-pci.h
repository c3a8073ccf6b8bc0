/* SPDX-License-Identifier: GPL-2.0-only */
/* The PCI transport (virtio 1.2, section 4.1), modern interface only, MSI-X only. */
#ifndef VMM_VIRTIO_PCI_H
#define VMM_VIRTIO_PCI_H

#include "msix.h"
#include "pci.h"
#include "virtio.h"

struct virtio_pci {
	struct pci_device pci;
	struct virtio_device *vdev;
	unsigned int msix_cap;		/* offset of the capability */

	/* Protected by vdev->lock: */
	struct msix msix;
	uint32_t device_feature_select;
	uint32_t driver_feature_select;
	uint16_t queue_select;
	uint32_t notify_at;		/* address of BAR 0 for which ioeventfds are set; 0: none */
};

/*
 * Put `vdev` on the bus. gsi_base: the first of MSIX_MAX_VECTORS interrupts. Returns 0 or -errno.
 */
int virtio_pci_attach(struct virtio_pci *vp, struct virtio_device *vdev, struct pci_bus *pci,
		      struct irq_router *irq, unsigned int gsi_base);

#endif
