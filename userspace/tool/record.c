// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records what the layer below an image was.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "record.h"
#include "util.h"

#define ATTRIBUTE "trusted.cowchain.below"
#define MAX_BYTES (PATH_MAX + 128)

char *record_format(const struct record *rec)
{
	return xasprintf("1 %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRIu32 " %s", rec->size, rec->ino, rec->born,
			 rec->born_ns, rec->name);
}

int record_parse(const char *text, struct record *rec)
{
	int name = 0;

	memset(rec, 0, sizeof(*rec));
	if (sscanf(text, "1 %" SCNu64 " %" SCNu64 " %" SCNd64 " %" SCNu32 "%n", &rec->size, &rec->ino, &rec->born,
		   &rec->born_ns, &name) != 4 || text[name] != ' ' || !text[name + 1])
		return -1;
	rec->name = text + name + 1;
	return 0;
}

void record_of(int fd, const char *name, struct record *rec)
{
	struct statx stx;

	memset(rec, 0, sizeof(*rec));
	rec->name = name;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &stx) || !S_ISREG(stx.stx_mode))
		return;
	rec->ino = stx.stx_ino;
	if (stx.stx_mask & STATX_BTIME) {
		rec->born = stx.stx_btime.tv_sec;
		rec->born_ns = stx.stx_btime.tv_nsec;
	}
}

static uint64_t shown(const struct record *rec, uint64_t disk)
{
	return rec->size < disk ? rec->size : disk;
}

bool record_size_matters(const struct record *was, const struct record *now, uint64_t disk)
{
	uint64_t a = shown(was, disk), b = shown(now, disk);

	/* The end of a file within a sector may count, or not. */
	return (a > b ? a - b : b - a) >= SECTOR_SIZE;
}

bool record_other_file(const struct record *was, const struct record *now)
{
	return was->ino && now->ino &&
	       (was->ino != now->ino || was->born != now->born || was->born_ns != now->born_ns);
}

char *record_read(int fd, struct record *rec)
{
	char text[MAX_BYTES + 1], *copy;
	struct stat st;
	ssize_t len;

	/* Of a block device, they would be those of a node, which has other devices, too. */
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return NULL;
	len = fgetxattr(fd, ATTRIBUTE, text, MAX_BYTES);
	if (len <= 0)
		return NULL;
	text[len] = '\0';
	copy = xstrdup(text);
	if (!record_parse(copy, rec))
		return copy;
	free(copy);
	return NULL;
}

void record_write(int fd, const struct record *rec)
{
	char *text = record_format(rec);
	struct stat st;

	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && strlen(text) <= MAX_BYTES &&
	    fsetxattr(fd, ATTRIBUTE, text, strlen(text), 0))
		cc_debug("cannot record what is below: %m");
	free(text);
}

void record_forget(int fd)
{
	if (fremovexattr(fd, ATTRIBUTE) || fsync(fd))
		cc_debug("cannot forget what is below: %m");
}
