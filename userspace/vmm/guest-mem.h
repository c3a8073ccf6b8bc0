/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of the guest: a short table of regions.
 *
 * mem_range() is the only way from a guest address to a pointer. The pointer is valid for exactly
 * the requested bytes and for the lifetime of the guest: regions are never unmapped.
 */
#ifndef VMM_GUEST_MEM_H
#define VMM_GUEST_MEM_H

#include <stdint.h>

#define MEM_MAX_REGIONS 2

struct mem_region {
	uint64_t gpa;
	uint64_t size;
	uint8_t *hva;
};

struct guest_mem {
	unsigned int nregions;
	struct mem_region region[MEM_MAX_REGIONS];
};

/*
 * A pointer to [gpa, gpa + len), or NULL unless len > 0 and the range lies in a single region.
 * Regions are not adjacent in guest address space, so a valid range never spans two.
 */
void *mem_range(const struct guest_mem *mem, uint64_t gpa, uint64_t len);

#endif
