/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One PCI bus, reached through ports 0xcf8 and 0xcfc. A device is a block of 256 bytes, a mask that
 * says which bits the guest may write, and two callbacks.
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

	/* After each write to the configuration; called with the bus's lock held. */
	void (*config_changed)(struct pci_device *dev);
	/* An access inside one of the BARs, no lock held. */
	void (*bar_access)(struct pci_device *dev, unsigned int bar, uint32_t off, void *data,
			   unsigned int len, bool write);
};

struct pci_bus {
	pthread_mutex_t lock;		/* of the latch and of every device's config */
	uint32_t address;		/* what was last written to 0xcf8 */
	struct pci_device bridge;
	unsigned int ndevices;
	struct pci_device *device[PCI_MAX_DEVICES];
	uint64_t next_bar;		/* where the next BAR is put */
};

void pci_init(struct pci_bus *pci, struct bus *pio, struct bus *mmio);

/* Fills in the identification; class is the 24-bit class code. */
void pci_identify(struct pci_device *dev, uint16_t vendor, uint16_t device, uint32_t class,
		  uint8_t revision);

/* Appends a capability (its bytes after the "next" field); returns where it stands. */
unsigned int pci_add_cap(struct pci_device *dev, uint8_t id, const void *body, unsigned int len);

/* Gives the device its place on the bus and, as firmware would, addresses to its BARs. */
void pci_add(struct pci_bus *pci, struct pci_device *dev);

/* The guest's address of a BAR, or 0 while memory decoding is off. Bus lock held, or before boot. */
uint32_t pci_bar_address(const struct pci_device *dev, unsigned int bar);

#endif
