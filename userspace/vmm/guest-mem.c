// SPDX-License-Identifier: GPL-2.0-only
#include <stddef.h>

#include "guest-mem.h"

void *mem_range(const struct guest_mem *mem, uint64_t gpa, uint64_t len)
{
	for (unsigned int i = 0; i < mem->nregions; i++) {
		const struct mem_region *r = &mem->region[i];
		uint64_t off = gpa - r->gpa;

		/* Subtractions only: gpa + len may wrap, and the guest chooses both. */
		if (gpa < r->gpa || off >= r->size)
			continue;
		return len && len <= r->size - off ? r->hva + off : NULL;
	}
	return NULL;
}
