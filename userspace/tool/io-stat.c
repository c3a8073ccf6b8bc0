// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel has counted of a block device.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "io-stat.h"
#include "util.h"

#define MAX_NUMBERS 17
#define MIN_NUMBERS 11

/* Where the numbers of each kind are: requests, merges, sectors, milliseconds. Flushes have no merges and sectors. */
static const struct {
	unsigned int done;
	unsigned int sectors;
	unsigned int ms;
} places[IO_KINDS] = {
	[IO_READ] = { 0, 2, 3 },
	[IO_WRITE] = { 4, 6, 7 },
	[IO_DISCARD] = { 11, 13, 14 },
	[IO_FLUSH] = { 15, 0, 16 },
};
#define IN_FLIGHT 8

int io_stat_parse(const char *text, struct io_stat *stat)
{
	uint64_t numbers[MAX_NUMBERS] = { 0 };
	unsigned int nr = 0, i;
	int len;

	while (nr < MAX_NUMBERS && sscanf(text, " %" SCNu64 "%n", &numbers[nr], &len) == 1) {
		text += len;
		nr++;
	}
	memset(stat, 0, sizeof(*stat));
	if (nr < MIN_NUMBERS)
		return -1;
	for (i = 0; i < IO_KINDS; i++) {
		stat->done[i] = numbers[places[i].done];
		stat->bytes[i] = i == IO_FLUSH ? 0 : numbers[places[i].sectors] * SECTOR_SIZE;
		stat->ms[i] = numbers[places[i].ms];
	}
	stat->in_flight = numbers[IN_FLIGHT];
	return 0;
}

int io_stat_read(dev_t dev, struct io_stat *stat)
{
	char *path = xasprintf("/sys/dev/block/%u:%u/stat", major(dev), minor(dev)), *line = NULL;
	FILE *f = fopen(path, "re");
	size_t room = 0;
	int ret = -1;

	if (f && getline(&line, &room, f) > 0)
		ret = io_stat_parse(line, stat);
	if (f)
		fclose(f);
	free(line);
	free(path);
	return ret;
}
