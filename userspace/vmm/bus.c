// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds the device at an I/O port or address.
 */
#include <stdlib.h>
#include <string.h>

#include "bus.h"

void bus_add(struct bus *bus, uint64_t start, uint64_t len, bus_fn fn, void *dev)
{
	/* All devices are known at compile time: a full table is a bug. */
	if (bus->nranges == BUS_MAX_RANGES)
		abort();
	bus->range[bus->nranges++] = (struct bus_range) { start, len, fn, dev };
}

void bus_access(const struct bus *bus, uint64_t addr, void *data, unsigned int len, bool write)
{
	if (!write)
		memset(data, 0xff, len);
	for (unsigned int i = 0; i < bus->nranges; i++) {
		const struct bus_range *r = &bus->range[i];

		if (addr < r->start || addr - r->start >= r->len)
			continue;
		/* An access beyond the end of a device has no effect. */
		if (len <= r->len - (addr - r->start))
			r->fn(r->dev, addr - r->start, data, len, write);
		return;
	}
}
