/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MSI-X: a vector table in a BAR, and an eventfd for each vector. A signal of the eventfd causes an
 * interrupt. Masked vectors are unbound from KVM: their eventfd counts signals, and thus serves as
 * the pending bit.
 */
#ifndef VMM_MSIX_H
#define VMM_MSIX_H

#include <stdbool.h>
#include <stdint.h>

#include "irq.h"
#include "virtio.h"

#define MSIX_MAX_VECTORS	(VIRTIO_MAX_QUEUES + 1)
#define MSIX_BAR_SIZE		4096
#define MSIX_PBA_OFFSET		2048

struct msix_vector {
	uint64_t addr;
	uint32_t data;
	uint32_t control;
	bool bound;		/* bound to KVM */
	int fd;
};

/* Protected by the lock of its device. */
struct msix {
	struct irq_router *irq;
	unsigned int gsi_base;
	unsigned int n;
	bool enabled;
	bool masked;		/* all vectors */
	struct msix_vector vector[MSIX_MAX_VECTORS];
};

int msix_init(struct msix *m, struct irq_router *irq, unsigned int gsi_base, unsigned int n);

/* The control word of the capability was changed. */
void msix_control(struct msix *m, uint16_t control);

/* An access to the BAR with the table and the pending bits. */
void msix_access(struct msix *m, uint32_t off, void *data, unsigned int len, bool write);

/* The eventfd of a vector, or -1 if the vector does not exist. */
int msix_fd(const struct msix *m, uint16_t vector);

#endif
