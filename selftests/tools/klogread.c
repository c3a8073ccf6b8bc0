// SPDX-License-Identifier: GPL-2.0-only
/*
 * klogread: prints the kernel log records that were not yet read from descriptor 9 (/dev/kmsg,
 * opened by the shell). The descriptor has the position, so that each call prints only what is new;
 * dmesg would print everything again each time.
 *
 *	klogread [-s]		-s: skip them instead
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

#define KMSG_FD	9

int main(int argc, char **argv)
{
	char record[8192];
	char *text;
	ssize_t n;

	if (argc > 1 && !strcmp(argv[1], "-s")) {
		if (lseek(KMSG_FD, 0, SEEK_END) < 0)
			die("/dev/kmsg: %s", strerror(errno));
		return 0;
	}
	if (fcntl(KMSG_FD, F_SETFL, O_NONBLOCK))
		die("descriptor %d: %s", KMSG_FD, strerror(errno));
	for (;;) {
		n = read(KMSG_FD, record, sizeof(record) - 1);
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && errno == EPIPE) {
			/* the log has wrapped around: continue with the oldest record */
			puts("(part of the log is lost)");
			continue;
		}
		if (n < 0)
			die("/dev/kmsg: %s", strerror(errno));
		/* "level,sequence,time,flags;text", then lines with a dictionary */
		record[n] = 0;
		text = strchr(record, ';');
		text = text ? text + 1 : record;
		printf("%.*s\n", (int)strcspn(text, "\n"), text);
	}
}
