/* SPDX-License-Identifier: GPL-2.0-only */
/* Replaces irq.c, which uses KVM, and records the calls. Include it in one file only. */
#ifndef VMM_TESTS_FAKE_IRQ_H
#define VMM_TESTS_FAKE_IRQ_H

#include <errno.h>
#include <string.h>

#include "irq.h"

static struct {
	bool line[32];
	unsigned int line_changes;
	bool bound[IRQ_MSI_BASE + IRQ_MSI_MAX];
	uint64_t msi_addr[IRQ_MSI_BASE + IRQ_MSI_MAX];
	uint32_t msi_data[IRQ_MSI_BASE + IRQ_MSI_MAX];
	uint64_t kick_addr[32];
	int kick_fd[32];
	unsigned int nkicks;
	bool refuses;			/* as KVM, if another device is at that address */
} fake;

int irq_init(struct irq_router *r, int vm_fd)
{
	(void)vm_fd;
	memset(&fake, 0, sizeof(fake));
	memset(r, 0, sizeof(*r));
	return 0;
}

int irq_set_msi(struct irq_router *r, unsigned int gsi, uint64_t addr, uint32_t data)
{
	(void)r;
	fake.msi_addr[gsi] = addr;
	fake.msi_data[gsi] = data;
	return 0;
}

int irq_bind(struct irq_router *r, unsigned int gsi, int fd, bool bind)
{
	(void)r;
	(void)fd;
	fake.bound[gsi] = bind;
	return 0;
}

void irq_line(struct irq_router *r, unsigned int gsi, bool level)
{
	(void)r;
	fake.line[gsi] = level;
	fake.line_changes++;
}

int irq_ioeventfd(struct irq_router *r, uint64_t addr, int fd, bool add)
{
	(void)r;
	if (fake.refuses)
		return -EEXIST;
	for (unsigned int i = 0; i < fake.nkicks; i++) {
		if (fake.kick_addr[i] != addr || fake.kick_fd[i] != fd)
			continue;
		fake.nkicks--;
		fake.kick_addr[i] = fake.kick_addr[fake.nkicks];
		fake.kick_fd[i] = fake.kick_fd[fake.nkicks];
		return 0;
	}
	if (add) {
		fake.kick_addr[fake.nkicks] = addr;
		fake.kick_fd[fake.nkicks++] = fd;
	}
	return 0;
}

#endif
