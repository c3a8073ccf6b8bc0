// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages of a generator, which runs before there is a journal.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "safe-text.h"

#define LOG_MAX	900	/* the kernel takes less than 1 KiB as a message */

/* systemd says so to its generators, see systemd.generator(7). */
static int open_log(void)
{
	return getenv("SYSTEMD_SCOPE") ? open("/dev/kmsg", O_WRONLY | O_NOCTTY | O_CLOEXEC) : -1;
}

/*
 * A message of the kernel's log is what one write() has. dprintf() of glibc before 2.37 writes nothing there, because
 * that file cannot tell a position.
 */
static bool write_log(const char *text)
{
	char line[LOG_MAX + 64];
	int fd = open_log(), len;
	bool written;

	if (fd < 0)
		return false;
	len = snprintf(line, sizeof(line), "<3>cowchain-generator[%d]: %.*s\n", (int)getpid(), LOG_MAX, text);
	written = write(fd, line, (size_t)len) == len;
	close(fd);
	return written;
}

void log_error(const char *fmt, ...)
{
	char text[LOG_MAX], safe[SAFE_TEXT_ROOM(sizeof(text))];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	safe_text(safe, text);
	if (!write_log(safe))
		fprintf(stderr, "cowchain-generator: %s\n", safe);
}
