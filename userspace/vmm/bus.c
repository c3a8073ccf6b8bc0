// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "bus.h"

void bus_add(struct bus *bus, uint64_t start, uint64_t len, bus_fn fn, void *dev)
{
	/* The set of devices is fixed at compile time: a full table is a bug, not a condition. */
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
		/* An access across the end of a device reaches nobody. */
		if (len <= r->len - (addr - r->start))
			r->fn(r->dev, addr - r->start, data, len, write);
		return;
	}
}
