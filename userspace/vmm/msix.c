// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSI-X: the vector table and the pending bits.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include "msix.h"
#include "util.h"

int msix_init(struct msix *m, struct irq_router *irq, unsigned int gsi_base, unsigned int n)
{
	memset(m, 0, sizeof(*m));
	m->irq = irq;
	m->gsi_base = gsi_base;
	m->n = n;
	for (unsigned int i = 0; i < n; i++) {
		m->vector[i].control = PCI_MSIX_ENTRY_CTRL_MASKBIT;
		m->vector[i].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (m->vector[i].fd < 0)
			return -errno;
	}
	return 0;
}

int msix_fd(const struct msix *m, uint16_t vector)
{
	return vector < m->n ? m->vector[vector].fd : -1;
}

static void bind(struct msix *m, unsigned int i, bool on)
{
	struct msix_vector *v = &m->vector[i];
	int err;

	if (v->bound == on)
		return;
	err = on ? irq_set_msi(m->irq, m->gsi_base + i, v->addr, v->data) : 0;
	if (!err)
		err = irq_bind(m->irq, m->gsi_base + i, v->fd, on);
	if (err)
		say_guest("cannot %s interrupt vector %u: %s", on ? "bind" : "unbind", i,
			  strerror(-err));
	else
		v->bound = on;
}

static void update(struct msix *m, unsigned int i)
{
	bind(m, i, m->enabled && !m->masked &&
		   !(m->vector[i].control & PCI_MSIX_ENTRY_CTRL_MASKBIT));
}

void msix_control(struct msix *m, uint16_t control)
{
	bool enabled = control & PCI_MSIX_FLAGS_ENABLE;
	bool masked = control & PCI_MSIX_FLAGS_MASKALL;

	if (enabled == m->enabled && masked == m->masked)
		return;
	m->enabled = enabled;
	m->masked = masked;
	for (unsigned int i = 0; i < m->n; i++)
		update(m, i);
}

static bool is_pending(const struct msix_vector *v)
{
	struct pollfd p = { .fd = v->fd, .events = POLLIN };

	return !v->bound && poll(&p, 1, 0) > 0;
}

static uint64_t pending_bits(const struct msix *m)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < m->n; i++)
		bits |= (uint64_t)is_pending(&m->vector[i]) << i;
	return bits;
}

/* A table entry in the form that the guest accesses: address, data, control; 16 bytes. */
struct entry {
	uint64_t addr;
	uint32_t data;
	uint32_t control;
};

static void write_entry(struct msix *m, unsigned int i, uint32_t off, const void *data,
			unsigned int len)
{
	struct msix_vector *v = &m->vector[i];
	struct entry e = { v->addr, v->data, v->control };

	memcpy((uint8_t *)&e + off, data, len);
	/*
	 * When a bound vector moves, its route is replaced without unbinding, so no signal is lost.
	 */
	if (v->bound && (e.addr != v->addr || e.data != v->data))
		irq_set_msi(m->irq, m->gsi_base + i, e.addr, e.data);
	v->addr = e.addr;
	v->data = e.data;
	v->control = e.control & PCI_MSIX_ENTRY_CTRL_MASKBIT;
	update(m, i);
}

void msix_access(struct msix *m, uint32_t off, void *data, unsigned int len, bool write)
{
	uint32_t i = off / PCI_MSIX_ENTRY_SIZE;
	uint32_t in = off % PCI_MSIX_ENTRY_SIZE;
	uint64_t pba;

	if (!write)
		memset(data, 0, len);
	/* The specification has only aligned accesses of 4 and 8 bytes. */
	if ((len != 4 && len != 8) || off % len)
		return;
	if (off >= MSIX_PBA_OFFSET && off - MSIX_PBA_OFFSET < sizeof(pba)) {
		pba = pending_bits(m);
		if (!write)
			memcpy(data, (uint8_t *)&pba + (off - MSIX_PBA_OFFSET), len);
		return;
	}
	if (i >= m->n)
		return;
	if (write) {
		write_entry(m, i, in, data, len);
	} else {
		struct entry e = { m->vector[i].addr, m->vector[i].data, m->vector[i].control };

		memcpy(data, (uint8_t *)&e + in, len);
	}
}
