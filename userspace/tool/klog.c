// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the kernel's log from /dev/kmsg.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devno.h"
#include "klog.h"
#include "util.h"

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
static char *record_text(char *record)
{
	char *text = strchr(record, ';');

	if (!text)
		return record + strlen(record);
	text++;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* The next "7:3" in a text, with its length; NULL if there is none. */
static const char *find_number(const char *text, size_t *len)
{
	static const char digits[] = "0123456789";
	size_t n, m;

	for (; *(text += strcspn(text, digits)); text += n) {
		n = strspn(text, digits);
		m = text[n] == ':' ? strspn(text + n + 1, digits) : 0;
		*len = n + 1 + m;
		if (m)
			return text;
	}
	return NULL;
}

/* /dev/kmsg writes \xNN for backslashes and all bytes beyond the printable ones of ASCII. */
static void unescape(char *text)
{
	char *to = text;
	unsigned int byte;

	while (*text) {
		if (sscanf(text, "\\x%2x", &byte) == 1 && byte && isxdigit((unsigned char)text[3])) {
			*to++ = (char)byte;
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

/* The kernel names devices by number. Append ", 7:3 is FILE" and so on. */
static void add_files(struct strbuf *sb, const char *text)
{
	const char *file_of = " (";
	char *number, *file;
	size_t len;
	dev_t dev;

	for (; (text = find_number(text, &len)); text += len) {
		number = xstrndup(text, len);
		file = devno_parse(number, &dev) ? NULL : devno_file(dev);
		if (file) {
			strbuf_addf(sb, "%s%s is %s", file_of, number, file);
			file_of = ", ";
		}
		free(file);
		free(number);
	}
	if (*file_of == ',')
		strbuf_add(sb, ")");
}

static int report(char *text)
{
	/* Device-mapper adds this to every refused table. */
	static const char noise[] = "error adding target to table";
	struct strbuf sb = { 0 };

	if (strncmp(text, "device-mapper:", 14) && !strstr(text, "cowchain"))
		return 0;
	if (strstr(text, noise))
		return 0;
	unescape(text);
	strbuf_addf(&sb, "kernel: %s", text);
	add_files(&sb, text);
	cc_error("%s", sb.text);
	free(sb.text);
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
