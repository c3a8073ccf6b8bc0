// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts of the guest through KVM's irqfd, ioeventfd and routing table.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "irq.h"

#define IOAPIC_PINS	24
#define PIC_PINS	8
#define MAX_ROUTES	(2 * PIC_PINS + IOAPIC_PINS + IRQ_MSI_MAX)

static void add_pin(struct kvm_irq_routing *t, unsigned int gsi, unsigned int chip, unsigned int pin)
{
	t->entries[t->nr++] = (struct kvm_irq_routing_entry) {
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

/*
 * Our table replaces KVM's default one, so it must contain the pins, too. As on all PCs the timer
 * is at pin 2 of the IOAPIC, as the MADT tells. Pin 0 has no source, nor has the cascade of the
 * PICs.
 */
int irq_init(struct irq_router *r, int vm_fd)
{
	struct kvm_irq_routing *t;

	t = calloc(1, sizeof(*t) + MAX_ROUTES * sizeof(t->entries[0]));
	if (!t)
		return -ENOMEM;
	r->vm_fd = vm_fd;
	r->table = t;
	pthread_mutex_init(&r->lock, NULL);

	for (unsigned int i = 0; i < 2 * PIC_PINS; i++)
		if (i != 2)
			add_pin(t, i, i < PIC_PINS ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
				i % PIC_PINS);
	for (unsigned int i = 0; i < IOAPIC_PINS; i++)
		if (i != 2)
			add_pin(t, i, KVM_IRQCHIP_IOAPIC, i ? i : 2);
	return ioctl(vm_fd, KVM_SET_GSI_ROUTING, t) ? -errno : 0;
}

static struct kvm_irq_routing_entry *find_msi(struct kvm_irq_routing *t, unsigned int gsi)
{
	for (unsigned int i = 0; i < t->nr; i++)
		if (t->entries[i].type == KVM_IRQ_ROUTING_MSI && t->entries[i].gsi == gsi)
			return &t->entries[i];
	if (t->nr == MAX_ROUTES)
		return NULL;
	return &t->entries[t->nr++];
}

int irq_set_msi(struct irq_router *r, unsigned int gsi, uint64_t addr, uint32_t data)
{
	struct kvm_irq_routing_entry *e;
	int err = -ENOSPC;

	pthread_mutex_lock(&r->lock);
	e = find_msi(r->table, gsi);
	if (e) {
		*e = (struct kvm_irq_routing_entry) {
			.gsi = gsi,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = {
				.address_lo = addr,
				.address_hi = addr >> 32,
				.data = data,
			},
		};
		err = ioctl(r->vm_fd, KVM_SET_GSI_ROUTING, r->table) ? -errno : 0;
	}
	pthread_mutex_unlock(&r->lock);
	return err;
}

int irq_bind(struct irq_router *r, unsigned int gsi, int fd, bool bind)
{
	struct kvm_irqfd req = {
		.fd = fd,
		.gsi = gsi,
		.flags = bind ? 0 : KVM_IRQFD_FLAG_DEASSIGN,
	};

	return ioctl(r->vm_fd, KVM_IRQFD, &req) ? -errno : 0;
}

void irq_line(struct irq_router *r, unsigned int gsi, bool level)
{
	struct kvm_irq_level req = { .irq = gsi, .level = level };

	ioctl(r->vm_fd, KVM_IRQ_LINE, &req);
}

int irq_ioeventfd(struct irq_router *r, uint64_t addr, int fd, bool add)
{
	/*
	 * Length 0 stands for any width: KVM need not decode the instruction if the processor
	 * allows that.
	 */
	struct kvm_ioeventfd req = {
		.addr = addr,
		.fd = fd,
		.flags = add ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN,
	};

	return ioctl(r->vm_fd, KVM_IOEVENTFD, &req) ? -errno : 0;
}
