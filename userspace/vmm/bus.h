/* SPDX-License-Identifier: GPL-2.0-only */
/* Who answers at which I/O port or memory address. Filled at start, constant while the guest runs. */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include <stdbool.h>
#include <stdint.h>

#define BUS_MAX_RANGES 16

/*
 * One access of 1, 2, 4 or 8 bytes at `off` from the start of the range; `data` is written to on a
 * read. Called on any vCPU's thread, several at once: a device brings its own lock.
 */
typedef void (*bus_fn)(void *dev, uint64_t off, void *data, unsigned int len, bool write);

struct bus_range {
	uint64_t start;
	uint64_t len;
	bus_fn fn;
	void *dev;
};

struct bus {
	unsigned int nranges;
	struct bus_range range[BUS_MAX_RANGES];
};

void bus_add(struct bus *bus, uint64_t start, uint64_t len, bus_fn fn, void *dev);

/* Where nobody answers, reads give all ones and writes go nowhere, as on real buses. */
void bus_access(const struct bus *bus, uint64_t addr, void *data, unsigned int len, bool write);

#endif
