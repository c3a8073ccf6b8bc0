// SPDX-License-Identifier: GPL-2.0-only
/*
 * Translates guest addresses to pointers.
 */
#include <stddef.h>

#include "guest-mem.h"

void *mem_range(const struct guest_mem *mem, uint64_t gpa, uint64_t len)
{
	for (unsigned int i = 0; i < mem->nregions; i++) {
		const struct mem_region *r = &mem->region[i];
		uint64_t off = gpa - r->gpa;

		/* Only subtract: the guest chooses gpa and len, and their sum may overflow. */
		if (gpa < r->gpa || off >= r->size)
			continue;
		return len && len <= r->size - off ? r->hva + off : NULL;
	}
	return NULL;
}
