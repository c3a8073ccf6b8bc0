// SPDX-License-Identifier: GPL-2.0-only
/*
 * Big-endian numbers and CRC32C.
 */
#include "bytes.h"

uint64_t be_get(const void *p, unsigned int bytes)
{
	const uint8_t *b = p;
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | *b++;
	return v;
}

void be_put(void *p, unsigned int bytes, uint64_t v)
{
	uint8_t *b = p;

	for (; bytes--; v >>= 8)
		b[bytes] = v;
}

static uint32_t table[256];

/* Before main(), so that threads never see half of it. */
static void __attribute__((constructor)) fill_table(void)
{
	uint32_t i, v;
	int bit;

	for (i = 0; i < 256; i++) {
		v = i;
		for (bit = 0; bit < 8; bit++)
			v = v >> 1 ^ (v & 1 ? 0x82f63b78u : 0);
		table[i] = v;
	}
}

uint32_t crc32c(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t crc = ~0u;

	while (len--)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 0xff];
	return ~crc;
}
