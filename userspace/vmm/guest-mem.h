/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's memory as the launcher sees it: a short table of regions.
 *
 * mem_range() is the only way from a guest address to a pointer. Whoever has a pointer from it may
 * use exactly the bytes asked for, for as long as the guest lives: regions are never unmapped.
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
 * Host pointer to [gpa, gpa + len), or NULL unless len > 0 and the whole range lies in one region.
 * Regions are apart from each other in guest address space, so no honest range spans two.
 */
void *mem_range(const struct guest_mem *mem, uint64_t gpa, uint64_t len);

#endif
