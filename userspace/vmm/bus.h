/* SPDX-License-Identifier: GPL-2.0-only */
/* The devices at I/O ports and memory addresses. Set up at start, constant while the guest runs. */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include <stdbool.h>
#include <stdint.h>

#define BUS_MAX_RANGES 16

/*
 * An access of 1, 2, 4 or 8 bytes at `off` from the start of the range; on a read, `data` is filled
 * in. Called on the threads of all vCPUs, possibly at the same time, so a device needs its own
 * lock.
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

/* Without a device at addr, reads return all ones and writes are ignored, as on real buses. */
void bus_access(const struct bus *bus, uint64_t addr, void *data, unsigned int len, bool write);

#endif
