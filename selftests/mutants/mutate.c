// SPDX-License-Identifier: GPL-2.0-only
/*
 * mutantwalk: damages an image, by the seed and with knowledge of its structure.
 */
#include <string.h>

#include "bytes.h"
#include "mutate.h"

#define COPIED		(1ull << 63)
#define COMPRESSED	(1ull << 62)
#define OFFSET_MASK	0x00fffffffffffe00ull

/* Stores into the image and into the shadow, with which it is compared later. */
static void poke(struct worker *w, uint64_t off, const void *data, size_t len)
{
	struct slice *s = w->m.target;

	if (off >= s->len)
		return;
	if (len > s->len - off)
		len = s->len - off;
	memcpy(w->shadow + off, data, len);
	memcpy(s->map + off, data, len);
}

static void poke_be(struct worker *w, uint64_t off, unsigned int bytes, uint64_t v)
{
	uint8_t b[8];

	be_put(b, bytes, v);
	poke(w, off, b, bytes);
}

static uint64_t peek_be(struct worker *w, uint64_t off, unsigned int bytes)
{
	return off + bytes <= w->m.target->len ? be_get(w->shadow + off, bytes) : 0;
}

static void flip_bits(struct worker *w, struct rng *rng, uint64_t from, uint64_t len,
		      unsigned int n)
{
	while (n--) {
		uint64_t bit = rng_below(rng, len * 8);
		uint64_t off = from + bit / 8;

		poke_be(w, off, 1, peek_be(w, off, 1) ^ 1 << bit % 8);
	}
}

/* ------------------------------------------------------------------- pointers */

/* An offset that has a meaning in this image, or that is invalid anywhere. */
static uint64_t pointer(struct worker *w, struct rng *rng)
{
	const struct slice *s = w->m.target;
	const struct geometry *g = &s->g;
	uint64_t cluster = 1ull << g->cluster_bits;
	uint64_t table = g->tables ? g->table[rng_below(rng, g->tables)] : 0;
	unsigned int entry;

	switch (rng_below(rng, 12)) {
	case 0:
		return 0;
	case 1:
		return cluster;
	case 2:
		return g->l1_offset;
	case 3:
		return g->rt_offset;
	case 4:
		return table;
	case 5:
		return peek_be(w, g->rt_offset, 8);
	case 6:		/* the data of another cluster */
		entry = geometry_entry_bytes(g);
		return peek_be(w, table + rng_below(rng, cluster / entry) * entry, 8) & OFFSET_MASK;
	case 7:
		return (s->len - 1) & ~(cluster - 1);
	case 8:
		return (s->len + cluster - 1) & ~(cluster - 1);
	case 9:
		return OFFSET_MASK & ~((1ull << rng_below(rng, 56)) - 1);
	case 10:
		return 1ull << rng_below(rng, 64);
	default:
		return rng_below(rng, s->len / cluster + 2) * cluster;
	}
}

static uint64_t descriptor(struct worker *w, struct rng *rng)
{
	uint64_t v = pointer(w, rng);

	switch (rng_below(rng, 10)) {
	case 0:
		return v;
	case 1:
		return v | rng_next(rng) << 56;
	case 2:
		return v | COPIED | (rng_next(rng) & 0x1ff);
	case 3:
		return (v + 512) | COPIED;
	default:
		return v | COPIED;
	}
}

static uint64_t bitmap(struct rng *rng)
{
	uint64_t v = rng_next(rng);

	switch (rng_below(rng, 6)) {
	case 0:
		return 0;
	case 1:
		return 0xffffffff;
	case 2:
		return 0xffffffffull << 32;
	case 3:
		return v;	/* most likely allocated and zero for some subcluster */
	default:
		return (v & 0xffffffff) | (~v & 0xffffffff) << 32;
	}
}

/* ----------------------------------------------------------------- the header */

static const struct {
	unsigned int offset, bytes;
} fields[] = {
	{ 0, 4 }, { 4, 4 }, { 8, 8 }, { 16, 4 }, { 20, 4 }, { 24, 8 }, { 32, 4 }, { 36, 4 },
	{ 40, 8 }, { 48, 8 }, { 56, 4 }, { 60, 4 }, { 64, 8 }, { 72, 8 }, { 80, 8 }, { 88, 8 },
	{ 96, 4 }, { 100, 4 }, { 104, 1 },
};

static uint64_t value(struct worker *w, struct rng *rng, uint64_t now)
{
	switch (rng_below(rng, 8)) {
	case 0:
		return rng_below(rng, 4);
	case 1:
		return ~0ull << rng_below(rng, 64);
	case 2:
		return now + 1;
	case 3:
		return now - 1;
	case 4:
		return now ^ 1ull << rng_below(rng, 64);
	case 5:
		return 1ull << rng_below(rng, 64);
	case 6:
		return rng_next(rng) >> rng_below(rng, 64);
	default:
		return pointer(w, rng);
	}
}

static void header_field(struct worker *w, struct rng *rng)
{
	unsigned int i = rng_below(rng, ARRAY_SIZE(fields));
	uint64_t now = peek_be(w, fields[i].offset, fields[i].bytes);

	poke_be(w, fields[i].offset, fields[i].bytes, value(w, rng, now));
}

/* A list of extensions with lengths that just fit, or are just too large. */
static void extensions(struct worker *w, struct rng *rng)
{
	static const uint32_t types[] = { 0xe2792aca, 0x6803f857, 0x23852875, 0x0537be77,
					  0x44415441, 0x43774964, 0, 0x12345678 };
	static const uint32_t lens[] = { 0, 1, 3, 5, 8, 15, 16, 479, 480, 481, 1016, 65536, 131072,
					 0x7fffffff, 0xfffffff8, 0xffffffff };
	const struct geometry *g = &w->m.target->g;
	uint64_t pos = g->header_length;
	unsigned int n = 1 + rng_below(rng, 6);

	if (!rng_below(rng, 3)) {
		flip_bits(w, rng, pos, 600, 1 + rng_below(rng, 12));
		return;
	}
	while (n--) {
		uint32_t len = lens[rng_below(rng, ARRAY_SIZE(lens))];

		poke_be(w, pos, 4, types[rng_below(rng, ARRAY_SIZE(types))]);
		poke_be(w, pos + 4, 4, len);
		if (len > 1024)
			break;
		pos += 8 + (len + 7) / 8 * 8;
	}
	if (rng_below(rng, 4))
		poke_be(w, pos, 8, 0);
	if (rng_below(rng, 4))
		return;
	poke_be(w, 8, 8, pos + 8);
	poke_be(w, 16, 4, rng_below(rng, 1030));
}

/* The fields are those of kernel/identity-format.h, which is not included on purpose. */
static void identity_slot(struct rng *rng, uint8_t *slot, unsigned int nr)
{
	static const uint64_t speeds[] = { 0, 1, 4096, 1 << 20, ~0ull };
	unsigned int i;

	memset(slot, 0, 160);
	be_put(slot, 4, 0x6377696d);
	be_put(slot + 4, 4, rng_below(rng, 12) ? 1 : rng_next(rng));
	be_put(slot + 8, 8, rng_below(rng, 8) ? nr : rng_next(rng));
	for (i = 16; i < 32; i++)
		slot[i] = rng_next(rng);
	if (!rng_below(rng, 4))
		slot[32] = 1;
	be_put(slot + 48, 8, rng_next(rng) >> rng_below(rng, 64));
	be_put(slot + 64, 4, rng_next(rng) & (rng_below(rng, 3) ? 14 : 15));
	be_put(slot + 68, 4, rng_below(rng, 3));
	be_put(slot + 72, 4, rng_below(rng, 3) ? rng_below(rng, 4) - 1 : rng_next(rng));
	be_put(slot + 76, 4, rng_below(rng, 4));
	be_put(slot + 80, 8, speeds[rng_below(rng, ARRAY_SIZE(speeds))]);
	be_put(slot + 112, 4, rng_below(rng, 3) ? rng_below(rng, 8192) : rng_next(rng));
	be_put(slot + 116, 4, rng_below(rng, 3) ? rng_below(rng, 1100) : rng_next(rng));
	be_put(slot + 120, 4, rng_next(rng));
	be_put(slot + 156, 4, crc32c(slot, 156));
}

/* An identity with valid checksums, as the only extension. */
static void identity(struct worker *w, struct rng *rng)
{
	uint64_t pos = w->m.target->g.header_length;
	uint8_t slot[160];
	unsigned int i;

	poke_be(w, pos, 4, 0x43774964);
	poke_be(w, pos + 4, 4, 480);
	for (i = 0; i < 3; i++) {
		identity_slot(rng, slot, i + 1);
		if (!rng_below(rng, 6))
			slot[rng_below(rng, 160)] ^= 1;
		poke(w, pos + 8 + 160 * i, slot, 160);
	}
	poke_be(w, pos + 488, 8, 0);
	if (!rng_below(rng, 2)) {
		poke_be(w, 8, 8, pos + 496);
		poke_be(w, 16, 4, 5);
		poke(w, pos + 496, "x.raw", 5);
	} else {
		poke_be(w, 8, 8, 0);
		poke_be(w, 16, 4, 0);
	}
}

/* A large disk, with or without tables that fit. */
static void sizes(struct worker *w, struct rng *rng)
{
	const struct geometry *g = &w->m.target->g;
	unsigned int per_table = g->cluster_bits + g->cluster_bits - (g->ext_l2 ? 4 : 3);
	uint64_t size = 512ull << rng_below(rng, 48);
	uint64_t need;

	if (rng_below(rng, 2))
		size -= 512 * rng_below(rng, size >> 9);
	need = (size >> per_table) + !!(size & ((1ull << per_table) - 1));
	poke_be(w, 24, 8, size);
	if (rng_below(rng, 4))
		poke_be(w, 36, 4, need);
	if (!rng_below(rng, 4))
		poke_be(w, 40, 8, pointer(w, rng));
	if (!rng_below(rng, 4))
		poke_be(w, 56, 4, rng_below(rng, 70));
}

/* --------------------------------------------------------------------- tables */

static void l1_entry(struct worker *w, struct rng *rng)
{
	const struct geometry *g = &w->m.target->g;
	uint64_t off = g->l1_offset + 8 * rng_below(rng, g->l1_entries ? g->l1_entries : 1);

	poke_be(w, off, 8, descriptor(w, rng));
}

/* Where some L2 entry is; 0: there is none. */
static uint64_t some_entry(struct worker *w, struct rng *rng)
{
	const struct geometry *g = &w->m.target->g;
	unsigned int size = geometry_entry_bytes(g);
	uint64_t entries;

	if (!g->tables)
		return 0;
	/* entries beyond the end of the disk have no effect */
	entries = DISK_BYTES >> g->cluster_bits ? DISK_BYTES >> g->cluster_bits : 1;
	if (entries > (1ull << g->cluster_bits) / size)
		entries = (1ull << g->cluster_bits) / size;
	return g->table[rng_below(rng, g->tables)] + rng_below(rng, entries) * size;
}

static void l2_entry(struct worker *w, struct rng *rng)
{
	const struct geometry *g = &w->m.target->g;
	unsigned int size = geometry_entry_bytes(g);
	uint64_t off = some_entry(w, rng);

	if (!off)
		return;
	if (rng_below(rng, 3))
		poke_be(w, off, 8, descriptor(w, rng));
	else
		flip_bits(w, rng, off, size, 1);
	if (g->ext_l2 && rng_below(rng, 2))
		poke_be(w, off + 8, 8, bitmap(rng));
}

static void noise(struct worker *w, struct rng *rng, uint64_t len)
{
	unsigned int n = 1 + rng_below(rng, 200);

	while (n--)
		poke_be(w, rng_below(rng, len), 1, rng_next(rng));
}

/* -------------------------------------------------------- compressed clusters */

/* Of a compressed cluster, if there seems to be one, or of another. */
static uint64_t packed_entry(struct worker *w, struct rng *rng)
{
	unsigned int tries = 64;
	uint64_t off;

	do
		off = some_entry(w, rng);
	while (off && !(peek_be(w, off, 8) & COMPRESSED) && tries--);
	return off;
}

/* Its L2 entry: an offset in bytes, and a number of sectors in the bits from @shift on. */
static uint64_t packed_descriptor(struct worker *w, struct rng *rng, uint64_t entry,
				  unsigned int shift)
{
	uint64_t mask = (1ull << shift) - 1, sectors = entry & ~mask, at = entry & mask;

	switch (rng_below(rng, 7)) {
	case 0:		/* more or less data than there is */
		sectors = rng_next(rng) & ~mask;
		break;
	case 1:		/* the most */
		sectors = ~mask;
		break;
	case 2:
		at += rng_below(rng, 1024) - 512;
		break;
	case 3:		/* it ends with the image, or behind it */
		at = w->m.target->len - rng_below(rng, 1500);
		break;
	case 4:		/* the data of another one */
		at = peek_be(w, packed_entry(w, rng), 8);
		break;
	case 5:
		at = rng_next(rng) >> rng_below(rng, 64);
		break;
	default:
		at = pointer(w, rng);
	}
	return (sectors & ~(COPIED | COMPRESSED)) | COMPRESSED | (at & mask);
}

static void packed(struct worker *w, struct rng *rng)
{
	unsigned int shift = 62 - (w->m.target->g.cluster_bits - 8);
	uint64_t off = packed_entry(w, rng), at, len;

	if (!off)
		return;
	at = peek_be(w, off, 8) & ((1ull << shift) - 1);
	len = 16 + rng_below(rng, 600);
	switch (rng_below(rng, 6)) {
	case 0:
		flip_bits(w, rng, at, len, 1 + rng_below(rng, 3));
		break;
	case 1:
		while (len--)
			poke_be(w, at++, 1, rng_next(rng));
		break;
	case 2:		/* it ends early */
		at += rng_below(rng, len);
		while (len--)
			poke_be(w, at++, 1, 0);
		break;
	case 3:		/* the same as its neighbour */
		poke_be(w, off + geometry_entry_bytes(&w->m.target->g), 8, peek_be(w, off, 8));
		break;
	default:
		poke_be(w, off, 8, packed_descriptor(w, rng, peek_be(w, off, 8), shift));
	}
}

static void many(struct worker *w, struct rng *rng, void (*one)(struct worker *, struct rng *),
		 unsigned int max)
{
	unsigned int n = 1 + rng_below(rng, max);

	while (n--)
		one(w, rng);
}

void mutate(struct worker *w, struct rng *rng, enum kind kind)
{
	const struct slice *s = w->m.target;
	uint64_t tables = s->g.tables ? s->g.table[0] + (1ull << s->g.cluster_bits) : s->len;

	switch (kind) {
	case KIND_HEADER_BITS:
		flip_bits(w, rng, 0, s->g.header_length, 1 + rng_below(rng, 3));
		break;
	case KIND_HEADER_FIELD:
		many(w, rng, header_field, 2);
		break;
	case KIND_EXTENSIONS:
		extensions(w, rng);
		break;
	case KIND_IDENTITY:
		identity(w, rng);
		break;
	case KIND_L1:
		many(w, rng, l1_entry, 2);
		break;
	case KIND_L2:
		many(w, rng, l2_entry, 3);
		break;
	case KIND_L2_MANY:
		many(w, rng, l2_entry, 40);
		break;
	case KIND_REFCOUNTS:
		flip_bits(w, rng, s->g.rt_offset, 64, 8);
		noise(w, rng, peek_be(w, s->g.rt_offset, 8) + 512);
		break;
	case KIND_BYTES:
		noise(w, rng, rng_below(rng, 2) ? tables : s->len);
		break;
	case KIND_SIZES:
		sizes(w, rng);
		break;
	case KIND_PACKED:
		many(w, rng, packed, 20);
		break;
	default:
		break;
	}
}
