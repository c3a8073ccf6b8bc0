/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PCI bus, accessed through ports 0xcf8 and 0xcfc. A device consists of 256 bytes of
 * configuration, a mask of the bits that the guest may write, and two callbacks.
 */
#ifndef VMM_PCI_H
#define VMM_PCI_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define PCI_MAX_DEVICES		16
#define PCI_MAX_BARS		2	/* 32-bit memory, the only kind here */
#define PCI_CONFIG_BYTES	256

struct bus;

struct pci_device {
	uint8_t config[PCI_CONFIG_BYTES];
	uint8_t writable[PCI_CONFIG_BYTES];
	uint32_t bar_size[PCI_MAX_BARS];

	/* After each write to the configuration. Bus lock held. */
	void (*config_changed)(struct pci_device *dev);
	/* An access to one of the BARs. No lock held. */
	void (*bar_access)(struct pci_device *dev, unsigned int bar, uint32_t off, void *data,
			   unsigned int len, bool write);
};

struct pci_bus {
	pthread_mutex_t lock;		/* protects the latch and all configurations */
	uint32_t address;		/* last value written to 0xcf8 */
	struct pci_device bridge;
	unsigned int ndevices;
	struct pci_device *device[PCI_MAX_DEVICES];
	uint64_t next_bar;		/* address of the next BAR */
};

void pci_init(struct pci_bus *pci, struct bus *pio, struct bus *mmio);

/* Fill in the identification; class is the 24-bit class code. */
void pci_identify(struct pci_device *dev, uint16_t vendor, uint16_t device, uint32_t class,
		  uint8_t revision);

/* Append a capability: its bytes after the "next" field. Returns its offset. */
unsigned int pci_add_cap(struct pci_device *dev, uint8_t id, const void *body, unsigned int len);

/* Put the device on the bus and, as firmware would, assign addresses to its BARs. */
void pci_add(struct pci_bus *pci, struct pci_device *dev);

/* The guest address of a BAR, or 0 while memory decoding is off. Bus lock held, or before boot. */
uint32_t pci_bar_address(const struct pci_device *dev, unsigned int bar);

#endif
