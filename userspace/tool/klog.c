// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the kernel's log from /dev/kmsg.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "klog.h"

/* A read returns one record; a buffer that is too small for it gives EINVAL. */
#define RECORD_MAX 8192

int klog_mark(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && lseek(fd, 0, SEEK_END) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* "prio,seq,time,flags;text\n KEY=value\n": returns the text, terminated in place. */
static const char *record_text(char *record)
{
	char *text = strchr(record, ';');

	if (!text)
		return "";
	text++;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static int report(const char *text)
{
	/* Device-mapper adds this to every refused table. */
	static const char noise[] = "error adding target to table";

	if (strncmp(text, "device-mapper:", 14) && !strstr(text, "cowchain"))
		return 0;
	if (strstr(text, noise))
		return 0;
	fprintf(stderr, "cowchain: kernel: %s\n", text);
	return 1;
}

int klog_report(int fd)
{
	char record[RECORD_MAX];
	int lines = 0;
	ssize_t n;

	if (fd < 0)
		return 0;
	for (;;) {
		n = read(fd, record, sizeof(record) - 1);
		if (n < 0 && (errno == EINTR || errno == EPIPE))
			continue;	/* EPIPE: records were overwritten, read on */
		if (n <= 0)
			break;
		record[n] = '\0';
		lines += report(record_text(record));
	}
	close(fd);
	return lines;
}

void klog_drop(int fd)
{
	if (fd >= 0)
		close(fd);
}
