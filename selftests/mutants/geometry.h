/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mutantwalk: where an undamaged qcow2 image has its tables.
 */
#ifndef COWCHAIN_MUTANTS_GEOMETRY_H
#define COWCHAIN_MUTANTS_GEOMETRY_H

#include <stdbool.h>
#include <stdint.h>

#define MAX_TABLES	32

/* From the undamaged image; all 0 if it is not qcow2. */
struct geometry {
	unsigned int cluster_bits;
	bool ext_l2;
	uint32_t header_length;
	uint64_t l1_offset;
	uint32_t l1_entries;
	uint64_t rt_offset;
	uint64_t table[MAX_TABLES];	/* L2 */
	unsigned int tables;
};

/* Reads it from the @len bytes of an image at @p. */
void geometry_read(struct geometry *g, const uint8_t *p, uint64_t len);
unsigned int geometry_entry_bytes(const struct geometry *g);

#endif
