// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ends of files of any length.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "number.h"
#include "tail.h"
#include "util.h"

unsigned int tail_length(uint64_t size)
{
	return (unsigned int)(size % SECTOR_SIZE);
}

int tail_read(struct tail *tail, int fd, uint64_t size)
{
	ssize_t n;

	tail->len = tail_length(size);
	n = pread_full(fd, tail->bytes, tail->len, (off_t)(size - tail->len));
	if (n < 0)
		return (int)n;
	/* Somebody has truncated it. */
	return (size_t)n == tail->len ? 0 : -EIO;
}

static const char *feature(bool data)
{
	return data ? "data_tail" : "tail";
}

void tail_add(struct table *table, unsigned int layer, bool data, const struct tail *tail)
{
	struct strbuf hex = { 0 };
	unsigned int i;

	if (!tail->len)
		return;
	for (i = 0; i < tail->len; i++)
		strbuf_addf(&hex, "%02x", tail->bytes[i]);
	table_add_feature(table, xstrdup(feature(data)));
	table_add_feature(table, xasprintf("%u", layer));
	table_add_feature(table, hex.text);
}

static void parse_hex(const char *hex, struct tail *tail)
{
	char digits[3] = "";
	unsigned int byte;

	tail->len = 0;
	while (tail->len < TAIL_MAX && isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1])) {
		memcpy(digits, hex, 2);
		sscanf(digits, "%x", &byte);
		tail->bytes[tail->len++] = (uint8_t)byte;
		hex += 2;
	}
}

void tail_find(const struct table *table, unsigned int layer, bool data, struct tail *tail)
{
	uint64_t number;
	unsigned int i;

	tail->len = 0;
	for (i = 0; i + 2 < table->nr_features; i++)
		if (!strcmp(table->features[i], feature(data)) &&
		    !parse_u64(table->features[i + 1], &number) && number == layer)
			parse_hex(table->features[i + 2], tail);
}

ssize_t tail_pread(int fd, uint64_t size, const struct tail *tail, void *buf, size_t len, uint64_t off)
{
	ssize_t n = pread_full(fd, buf, len, (off_t)off);
	uint64_t from;
	size_t more;

	if (n < 0 || (size_t)n == len || off + (uint64_t)n < size)
		return n;
	from = off + (uint64_t)n - size;
	if (from >= tail->len)
		return n;
	more = tail->len - (size_t)from;
	if (more > len - (size_t)n)
		more = len - (size_t)n;
	memcpy((char *)buf + n, tail->bytes + from, more);
	return n + (ssize_t)more;
}
