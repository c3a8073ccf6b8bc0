// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints a map in columns, or as qemu-img map prints it. A map may have any number of extents, so the library for
 * tables, which keeps all rows, is not used: the widths of the columns are known beforehand.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "map-print.h"
#include "util.h"

struct printer {
	bool json;
	bool first;
	int disk_width;		/* of numbers up to the size of the disk */
	int offset_width;
};

static const char *truth(bool b)
{
	return b ? "true" : "false";
}

/* Byte for byte what qemu-img prints, from version 8.2 on; older ones have no "compressed". */
static void print_json(const struct map_extent *e, const struct printer *p)
{
	printf("%s{ \"start\": %" PRIu64 ", \"length\": %" PRIu64 ", \"depth\": %u, \"present\": %s, \"zero\": %s, \"data\": %s, \"compressed\": %s",
	       p->first ? "" : ",\n", e->start, e->length, e->depth, truth(e->present), truth(e->zero),
	       truth(e->data), truth(e->compressed));
	if (e->has_offset)
		printf(", \"offset\": %" PRIu64, e->offset);
	putchar('}');
}

static const char *word(bool b)
{
	return b ? "yes" : "no";
}

static void print_row(const struct map_extent *e, const struct printer *p)
{
	printf("%*" PRIu64 "  %*" PRIu64 "  %5u  %-7s  %-4s  %-4s  %-10s  ", p->disk_width, e->start, p->disk_width,
	       e->length, e->depth, word(e->present), word(e->zero), word(e->data), word(e->compressed));
	if (e->has_offset)
		printf("%*" PRIu64 "\n", p->offset_width, e->offset);
	else
		printf("%*s\n", p->offset_width, "-");
}

/* Without a reader, or without space, the rest need not be made. */
static int print_extent(const struct map_extent *e, void *data)
{
	struct printer *p = data;

	if (p->json)
		print_json(e, p);
	else
		print_row(e, p);
	p->first = false;
	if (!ferror(stdout))
		return 0;
	cc_error("cannot write the map: %s", strerror(errno));
	return -1;
}

static int max_width(uint64_t number, const char *heading)
{
	int width = snprintf(NULL, 0, "%" PRIu64, number), least = (int)strlen(heading);

	return width > least ? width : least;
}

static uint64_t largest_file(const struct map_chain *chain)
{
	uint64_t size = 0;
	unsigned int i;

	for (i = 0; i < chain->nr; i++)
		if (chain->layers[i].data_size > size)
			size = chain->layers[i].data_size;
	return size;
}

int map_print(struct map_chain *chain, const struct out_options *opt)
{
	struct printer p = {
		.json = opt->json,
		.first = true,
		.disk_width = max_width(chain->size, "LENGTH"),
		.offset_width = max_width(largest_file(chain), "OFFSET"),
	};
	int ret;

	if (opt->json)
		putchar('[');
	else if (!opt->noheadings)
		printf("%*s  %*s  DEPTH  PRESENT  ZERO  DATA  COMPRESSED  %*s\n", p.disk_width, "START", p.disk_width,
		       "LENGTH", p.offset_width, "OFFSET");
	ret = map_chain_walk(chain, print_extent, &p);
	/* After a failure, what was printed is no JSON: nobody should take it for the whole. */
	if (!ret && opt->json)
		puts("]");
	return ret;
}
