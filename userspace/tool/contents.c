// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds out, by libblkid, what is on a block device.
 */
#include <blkid.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contents.h"
#include "file.h"
#include "format.h"
#include "util.h"

/* Without a known signature, this much at the start tells whether anything has been written. */
#define LOOK_BYTES (1U << 20)
#define ALIGN 4096U

/* The values are what somebody has written onto the device. NULL if there is none. */
static const char *value(blkid_probe probe, const char *name)
{
	const char *text;

	return blkid_probe_lookup_value(probe, name, &text, NULL) ? NULL : text;
}

static char *describe(blkid_probe probe)
{
	const char *type = value(probe, "TYPE"), *label = value(probe, "LABEL");
	const char *table = value(probe, "PTTYPE");

	if (type)
		return xasprintf("%s%s%s%s", type, label ? " with the label '" : "", label ? label : "",
				 label ? "'" : "");
	return xasprintf("a partition table (%s)", table ? table : "of an unknown kind");
}

/* NULL if nothing is known there. */
static char *known(int fd)
{
	blkid_probe probe = blkid_new_probe();
	char *found = NULL;
	int ret = -1;

	if (probe && !blkid_probe_set_device(probe, fd, 0, 0)) {
		blkid_probe_enable_superblocks(probe, true);
		blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL);
		blkid_probe_enable_partitions(probe, true);
		ret = blkid_do_safeprobe(probe);
		if (!ret)
			found = describe(probe);
		else if (ret == -2)
			found = xstrdup("several file systems or the like");
		else if (ret < 0)
			found = xstrdup("what libblkid cannot read");
	}
	blkid_free_probe(probe);
	return found;
}

static bool is_blank(int fd)
{
	bool blank = false;
	ssize_t n, i = 0;
	char *buf;

	if (posix_memalign((void **)&buf, ALIGN, LOOK_BYTES))
		out_of_memory();
	n = pread_full(fd, buf, LOOK_BYTES, 0);
	while (i < n && !buf[i])
		i++;
	blank = n >= 0 && i == n;
	free(buf);
	return blank;
}

char *contents_find(int fd)
{
	const struct format *format;
	char *found;

	format = format_find(fd, 0);
	if (format)
		return xstrdup(format->what);
	found = known(fd);
	if (found || is_blank(fd))
		return found;
	return xstrdup("data of an unknown kind");
}

int contents_clear(int fd, bool all)
{
	size_t len = all ? LOOK_BYTES : ALIGN;
	ssize_t n;
	char *buf;

	if (posix_memalign((void **)&buf, ALIGN, len))
		out_of_memory();
	memset(buf, 0, len);
	n = pwrite(fd, buf, len, 0);
	free(buf);
	/* A device may be smaller. */
	return n <= 0 || fsync(fd) ? -1 : 0;
}
