// SPDX-License-Identifier: GPL-2.0-only
/*
 * A PCI bus with configuration mechanism #1.
 */
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "pci.h"
#include "platform.h"
#include "util.h"
#include "vm.h"

#define CONFIG_ENABLE		(1U << 31)
#define FIRST_CAP		0x40

/* Red Hat's generic host bridge: kernels have no quirks for this id. */
#define BRIDGE_VENDOR		0x1b36
#define BRIDGE_DEVICE		0x0008
#define BRIDGE_CLASS		0x060000

static uint16_t get16(const struct pci_device *dev, unsigned int at)
{
	uint16_t v;

	memcpy(&v, dev->config + at, sizeof(v));
	return v;
}

static uint32_t get32(const struct pci_device *dev, unsigned int at)
{
	uint32_t v;

	memcpy(&v, dev->config + at, sizeof(v));
	return v;
}

static void put16(uint8_t *at, uint16_t v)
{
	memcpy(at, &v, sizeof(v));
}

static void put32(uint8_t *at, uint32_t v)
{
	memcpy(at, &v, sizeof(v));
}

void pci_identify(struct pci_device *dev, uint16_t vendor, uint16_t device, uint32_t class,
		  uint8_t revision)
{
	put16(dev->config + PCI_VENDOR_ID, vendor);
	put16(dev->config + PCI_DEVICE_ID, device);
	put32(dev->config + PCI_CLASS_REVISION, class << 8 | revision);
	put16(dev->config + PCI_SUBSYSTEM_VENDOR_ID, vendor);
	put16(dev->config + PCI_SUBSYSTEM_ID, device);
}

unsigned int pci_add_cap(struct pci_device *dev, uint8_t id, const void *body, unsigned int len)
{
	unsigned int at = FIRST_CAP, link = PCI_CAPABILITY_LIST;

	while (dev->config[link]) {
		at = dev->config[link];
		link = at + PCI_CAP_LIST_NEXT;
		/* Vendor capabilities contain their length; the only other kind here is MSI-X. */
		at += dev->config[at] == PCI_CAP_ID_VNDR ? dev->config[at + 2] : PCI_CAP_MSIX_SIZEOF;
	}
	at = ALIGN_UP(at, 4U);
	if (at + 2 + len > PCI_CONFIG_BYTES)
		abort();
	dev->config[link] = at;
	dev->config[at] = id;
	memcpy(dev->config + at + 2, body, len);
	put16(dev->config + PCI_STATUS, PCI_STATUS_CAP_LIST);
	return at;
}

uint32_t pci_bar_address(const struct pci_device *dev, unsigned int bar)
{
	if (!(get16(dev, PCI_COMMAND) & PCI_COMMAND_MEMORY))
		return 0;
	return get32(dev, PCI_BASE_ADDRESS_0 + 4 * bar) & PCI_BASE_ADDRESS_MEM_MASK;
}

/*
 * Without firmware, and since a kernel may be told not to assign addresses, all BARs have an
 * address from the start. Sizes of BARs are powers of two, and address bits below the size read as
 * zeros, by which a guest finds out the size.
 */
void pci_add(struct pci_bus *pci, struct pci_device *dev)
{
	if (pci->ndevices == PCI_MAX_DEVICES)
		abort();
	put16(dev->writable + PCI_COMMAND,
	      PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
	dev->writable[PCI_INTERRUPT_LINE] = 0xff;
	for (unsigned int i = 0; i < PCI_MAX_BARS; i++) {
		uint32_t size = dev->bar_size[i];

		if (!size)
			continue;
		pci->next_bar = ALIGN_UP(pci->next_bar, (uint64_t)size);
		put32(dev->config + PCI_BASE_ADDRESS_0 + 4 * i, pci->next_bar);
		put32(dev->writable + PCI_BASE_ADDRESS_0 + 4 * i, -size);
		pci->next_bar += size;
	}
	pci->device[pci->ndevices++] = dev;
}

static void config_write(struct pci_device *dev, unsigned int at, const uint8_t *data,
			 unsigned int len)
{
	for (unsigned int i = 0; i < len; i++) {
		uint8_t mask = dev->writable[at + i];

		dev->config[at + i] = (dev->config[at + i] & ~mask) | (data[i] & mask);
	}
	if (dev->config_changed)
		dev->config_changed(dev);
}

static void config_access(struct pci_bus *pci, unsigned int byte, void *data, unsigned int len,
			  bool write)
{
	unsigned int slot = pci->address >> 11 & 0x1f;
	unsigned int at = (pci->address & 0xfc) + byte;
	struct pci_device *dev;

	/* Bus 0 and function 0 only; no other devices exist. */
	if (!(pci->address & CONFIG_ENABLE) || pci->address & 0xff0700 || slot >= pci->ndevices)
		return;
	dev = pci->device[slot];
	if (write)
		config_write(dev, at, data, len);
	else
		memcpy(data, dev->config + at, len);
}

/* 0xcf8 takes whole words only. The bytes at 0xcfc show the word that it selects. */
static void pci_port_access(void *opaque, uint64_t off, void *data, unsigned int len, bool write)
{
	struct pci_bus *pci = opaque;

	pthread_mutex_lock(&pci->lock);
	if (off >= 4)
		config_access(pci, off - 4, data, len, write);
	else if (!off && len == 4 && write)
		memcpy(&pci->address, data, 4);
	else if (!off && len == 4)
		memcpy(data, &pci->address, 4);
	pthread_mutex_unlock(&pci->lock);
}

static struct pci_device *find_bar(struct pci_bus *pci, uint64_t addr, unsigned int len,
				   unsigned int *bar, uint32_t *off)
{
	for (unsigned int i = 0; i < pci->ndevices; i++) {
		for (*bar = 0; *bar < PCI_MAX_BARS; (*bar)++) {
			struct pci_device *dev = pci->device[i];
			uint64_t base = pci_bar_address(dev, *bar);
			uint64_t size = dev->bar_size[*bar];

			if (!base || addr < base || addr + len > base + size)
				continue;
			*off = addr - base;
			return dev;
		}
	}
	return NULL;
}

static void pci_mmio_access(void *opaque, uint64_t off, void *data, unsigned int len, bool write)
{
	struct pci_bus *pci = opaque;
	struct pci_device *dev;
	unsigned int bar;
	uint32_t bar_off;

	pthread_mutex_lock(&pci->lock);
	dev = find_bar(pci, PCI_MMIO_BASE + off, len, &bar, &bar_off);
	pthread_mutex_unlock(&pci->lock);
	if (dev)
		dev->bar_access(dev, bar, bar_off, data, len, write);
}

void pci_init(struct pci_bus *pci, struct bus *pio, struct bus *mmio)
{
	memset(pci, 0, sizeof(*pci));
	pthread_mutex_init(&pci->lock, NULL);
	pci->next_bar = PCI_MMIO_BASE;
	pci_identify(&pci->bridge, BRIDGE_VENDOR, BRIDGE_DEVICE, BRIDGE_CLASS, 0);
	pci_add(pci, &pci->bridge);
	bus_add(pio, PCI_CONFIG_PORT, 8, pci_port_access, pci);
	bus_add(mmio, PCI_MMIO_BASE, PCI_MMIO_SIZE, pci_mmio_access, pci);
}
