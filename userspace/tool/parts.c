// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parts of a disk, in the order in which they were read.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "number.h"
#include "parts.h"
#include "util.h"

/* How long a line may be that is right, and any. */
#define LINE_MAX_BYTES 64
#define COMMENT_MAX_BYTES 1024

static uint64_t end_of(const struct part *part)
{
	return part->offset + part->length;
}

/* The first in the sorted list that ends behind the offset. */
static size_t find(const struct parts *parts, uint64_t offset)
{
	size_t low = 0, high = parts->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (end_of(&parts->part[parts->sorted[middle]]) > offset)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* A part of its own, before the place in the sorted list. */
static void insert(struct parts *parts, size_t place, uint64_t offset, uint64_t length)
{
	if (parts->nr == parts->room) {
		parts->room = parts->room ? 2 * parts->room : 64;
		parts->part = xrealloc(parts->part, parts->room, sizeof(*parts->part));
		parts->sorted = xrealloc(parts->sorted, parts->room, sizeof(*parts->sorted));
	}
	memmove(parts->sorted + place + 1, parts->sorted + place, (parts->nr - place) * sizeof(*parts->sorted));
	parts->sorted[place] = parts->nr;
	parts->part[parts->nr++] = (struct part){ offset, length };
}

/* Nothing of this is there. */
static void add_gap(struct parts *parts, size_t place, uint64_t offset, uint64_t length)
{
	struct part *last = parts->nr ? &parts->part[parts->nr - 1] : NULL;

	if (last && end_of(last) == offset)
		last->length += length;
	else if (parts->nr < PARTS_MAX)
		insert(parts, place, offset, length);
	else
		parts->full = true;
	if (!parts->full)
		parts->bytes += length;
}

uint64_t parts_add(struct parts *parts, uint64_t offset, uint64_t length)
{
	uint64_t before = parts->bytes, end = offset + length;

	while (offset < end && !parts->full) {
		size_t place = find(parts, offset);
		const struct part *next = place < parts->nr ? &parts->part[parts->sorted[place]] : NULL;
		uint64_t gap_end = next && next->offset < end ? next->offset : end;
		uint64_t go_on = next && next->offset < end ? end_of(next) : end;

		if (gap_end > offset)
			add_gap(parts, place, offset, gap_end - offset);
		offset = go_on;
	}
	return parts->bytes - before;
}

/* "OFFSET LENGTH" with blanks around. Returns 0, or -1. */
static int parse_line(char *line, struct part *part)
{
	static const char blank[] = " \t\r\n";
	char *state, *offset = strtok_r(line, blank, &state), *length = strtok_r(NULL, blank, &state);

	if (!offset || !length || strtok_r(NULL, blank, &state))
		return -1;
	if (parse_u64(offset, &part->offset) || parse_u64(length, &part->length))
		return -1;
	/* The end of the largest disk there can be. */
	return part->offset > INT64_MAX || part->length > INT64_MAX || end_of(part) > INT64_MAX ? -1 : 0;
}

static bool is_empty(const char *line)
{
	line += strspn(line, " \t\r\n");
	return !*line || *line == '#';
}

/* Returns 0, or -1 after a message. */
static int take_line(struct parts *parts, const char *path, unsigned int number, char *line)
{
	struct part part;

	if (is_empty(line))
		return 0;
	if (strlen(line) > LINE_MAX_BYTES || parse_line(line, &part)) {
		cc_error("%s: line %u is no part of a disk: it has to be 'OFFSET LENGTH', in bytes", path, number);
		return -1;
	}
	parts_add(parts, part.offset, part.length);
	if (parts->full)
		cc_note("%s: the first %d parts are used, and those from line %u on are not", path, PARTS_MAX, number);
	return 0;
}

static int load_lines(struct parts *parts, FILE *f, const char *path)
{
	char line[COMMENT_MAX_BYTES + 2];
	unsigned int number = 0;
	int ret = 0;

	while (!ret && !parts->full && fgets(line, sizeof(line), f)) {
		number++;
		/* Of one that is cut, the rest would be taken for the next. */
		if (!strchr(line, '\n') && !feof(f)) {
			cc_error("%s: line %u is too long", path, number);
			return -1;
		}
		ret = take_line(parts, path, number, line);
	}
	if (ret || !ferror(f))
		return ret;
	cc_error("%s: cannot read it: %s", path, strerror(errno));
	return -1;
}

/* A FIFO would let us wait, and a device may do anything. Returns NULL after a message. */
static FILE *open_regular(const char *path)
{
	struct stat st;
	int found = file_find(AT_FDCWD, path, &st), fd = -1;
	FILE *f = NULL;

	if (found >= 0 && !S_ISREG(st.st_mode)) {
		cc_error("%s: is no regular file", path);
		close(found);
		return NULL;
	}
	if (found >= 0)
		fd = file_reopen(found, O_RDONLY);
	if (fd >= 0)
		f = fdopen(fd, "r");
	if (!f)
		cc_error("%s: %s", path, strerror(errno));
	if (!f && fd >= 0)
		close(fd);
	if (found >= 0)
		close(found);
	return f;
}

int parts_load(struct parts *parts, const char *path)
{
	FILE *f = open_regular(path);
	int ret;

	if (!f)
		return -1;
	ret = load_lines(parts, f, path);
	fclose(f);
	return ret;
}

int parts_print(const struct parts *parts, FILE *f)
{
	size_t i;

	fputs("# what was read of a disk, in this order: OFFSET LENGTH, in bytes\n", f);
	for (i = 0; i < parts->nr; i++)
		fprintf(f, "%" PRIu64 " %" PRIu64 "\n", parts->part[i].offset, parts->part[i].length);
	return fflush(f) || ferror(f) ? -1 : 0;
}

void parts_free(struct parts *parts)
{
	free(parts->part);
	free(parts->sorted);
	memset(parts, 0, sizeof(*parts));
}
