// SPDX-License-Identifier: GPL-2.0-only
/*
 * chainstress: finds out that something hangs, and where.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "watchdog.h"

static void show_file(const char *path)
{
	char buf[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return;
	buf[n] = '\0';
	for (char *save, *line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		printf("#   %s\n", line);
}

/* Prints the stacks of the threads; the kernel log gets all blocked tasks. */
static void show_hang(void)
{
	char path[300];
	struct dirent *d;
	DIR *dir = opendir("/proc/self/task");
	int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "w", 1) != 1)
		printf("# no list of blocked tasks in the kernel log\n");
	if (fd >= 0)
		close(fd);
	while (dir && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/stack", d->d_name);
		printf("# thread %s:\n", d->d_name);
		show_file(path);
	}
	if (dir)
		closedir(dir);
	fflush(stdout);
}

/*
 * Without progress for long, something hangs; the process may not be able to end in the usual way.
 */
void *watchdog_thread(void *arg)
{
	struct stress *s = arg;
	uint64_t last = 0;
	unsigned int idle = 0;

	for (;;) {
		sleep(1);
		idle = s->heartbeat == last ? idle + 1 : 0;
		last = s->heartbeat;
		if (idle < s->stall)
			continue;
		stress_fail(s, "no progress for %u seconds: something hangs", s->stall);
		show_hang();
		_exit(1);
	}
	return NULL;
}
