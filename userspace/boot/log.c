// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages of a generator, which runs before there is a journal.
 */
#include <fcntl.h>
#include <stdarg.h>
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

void log_error(const char *fmt, ...)
{
	char text[LOG_MAX], safe[SAFE_TEXT_ROOM(sizeof(text))];
	int fd = open_log();
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	safe_text(safe, text);
	if (fd < 0 || dprintf(fd, "<3>cowchain-generator[%d]: %.*s\n", (int)getpid(), LOG_MAX, safe) < 0)
		fprintf(stderr, "cowchain-generator: %s\n", safe);
	if (fd >= 0)
		close(fd);
}
