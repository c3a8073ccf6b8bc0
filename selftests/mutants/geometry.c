// SPDX-License-Identifier: GPL-2.0-only
/*
 * mutantwalk: where an undamaged qcow2 image has its tables.
 */
#include <string.h>

#include "bytes.h"
#include "geometry.h"

#define OFFSET_MASK	0x00fffffffffffe00ull

void geometry_read(struct geometry *g, const uint8_t *p, uint64_t len)
{
	uint32_t i;

	memset(g, 0, sizeof(*g));
	if (len < 512 || memcmp(p, "QFI\xfb", 4))
		return;
	g->cluster_bits = be_get(p + 20, 4);
	g->l1_entries = be_get(p + 36, 4);
	g->l1_offset = be_get(p + 40, 8);
	g->rt_offset = be_get(p + 48, 8);
	g->header_length = be_get(p + 4, 4) == 2 ? 72 : be_get(p + 100, 4);
	g->ext_l2 = g->header_length > 72 && be_get(p + 72, 8) & 0x10;
	for (i = 0; i < g->l1_entries && g->tables < MAX_TABLES; i++) {
		uint64_t table = be_get(p + g->l1_offset + 8 * i, 8) & OFFSET_MASK;

		if (table)
			g->table[g->tables++] = table;
	}
}

unsigned int geometry_entry_bytes(const struct geometry *g)
{
	return g->ext_l2 ? 16 : 8;
}
