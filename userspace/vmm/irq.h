/* SPDX-License-Identifier: GPL-2.0-only */
/* Interrupts: lines of the in-kernel chips, and messages (MSI) triggered by eventfds. */
#ifndef VMM_IRQ_H
#define VMM_IRQ_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define IRQ_MSI_BASE	24	/* KVM's GSIs below are the IOAPIC's pins */
#define IRQ_MSI_MAX	256

struct kvm_irq_routing;

struct irq_router {
	int vm_fd;
	pthread_mutex_t lock;			/* of the table below */
	struct kvm_irq_routing *table;
};

int irq_init(struct irq_router *r, int vm_fd);

/* Set the route of message `gsi` (from IRQ_MSI_BASE on). Returns 0 or -errno. */
int irq_set_msi(struct irq_router *r, unsigned int gsi, uint64_t addr, uint32_t data);

/*
 * Bind an eventfd to a GSI, or unbind it. While it is unbound the eventfd counts signals, which are
 * delivered when it is bound.
 */
int irq_bind(struct irq_router *r, unsigned int gsi, int fd, bool bind);

/* Set the level of an interrupt line. */
void irq_line(struct irq_router *r, unsigned int gsi, bool level);

/*
 * Have the kernel turn guest writes of any width at `addr` into signals, or end that if `add` is
 * false.
 */
int irq_ioeventfd(struct irq_router *r, uint64_t addr, int fd, bool add);

#endif
