// SPDX-License-Identifier: GPL-2.0-only
/*
 * Follows the tracepoint cowchain_map of one device.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "number.h"
#include "reads.h"
#include "util.h"

#define PREFIX "cowchain-reads-"

/* The second is where it is on systems that mount debugfs only. */
static const char *const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

/* What all lines of it have. */
#define EVENT ": cowchain_map: "

/* Each processor has a buffer of so many KiB, for what comes between two looks: some thousands of reads. */
#define BUFFER_KIB "512"

/* ---- lines ---- */

/* Before it is the name of a process, which may have anything in it. */
static const char *find_last(const char *text, const char *what)
{
	const char *last = NULL;

	while ((text = strstr(text, what)))
		last = text++;
	return last;
}

/* The name of a process never begins a line: there are blanks before it. */
static bool tells_of_lost(const char *line)
{
	return !strncmp(line, "CPU:", strlen("CPU:")) && strstr(line, " [LOST ");
}

bool reads_parse(const char *line, struct one_read *one)
{
	static const char *const ways[] = { "device", "packed", "tail" };
	char op[16], way[16];
	uint64_t sectors;
	size_t i;

	line = find_last(line, EVENT);
	if (!line || sscanf(line, EVENT "%*u,%*u %15s %" SCNu64 " + %" SCNu64 " %15s layer %d", op, &one->offset,
			    &sectors, way, &one->layer) != 5)
		return false;
	if (strcmp(op, "read") || one->layer < 0 || !sectors)
		return false;
	one->offset *= SECTOR_SIZE;
	one->length = sectors * SECTOR_SIZE;
	for (i = 0; i < ARRAY_SIZE(ways); i++)
		if (!strcmp(way, ways[i]))
			return true;
	return false;
}

/* The next line of the buffer, as much of it as line has room for. Returns NULL if none is complete. */
static char *cut_line(struct reads *reads, char *line, size_t size)
{
	const char *from = reads->buf + reads->start;
	const char *end = memchr(from, '\n', reads->end - reads->start);

	if (!end)
		return NULL;
	snprintf(line, size, "%.*s", (int)(end - from), from);
	reads->start += (size_t)(end - from) + 1;
	return line;
}

bool reads_fill(struct reads *reads)
{
	ssize_t n;

	reads->end -= reads->start;
	memmove(reads->buf, reads->buf + reads->start, reads->end);
	reads->start = 0;
	/* A line that long is none of ours. */
	if (reads->end == sizeof(reads->buf))
		reads->end = 0;
	n = read(reads->pipe, reads->buf + reads->end, sizeof(reads->buf) - reads->end);
	if (n <= 0)
		return false;
	reads->end += (size_t)n;
	return true;
}

bool reads_next(struct reads *reads, struct one_read *one)
{
	char line[512];

	while (cut_line(reads, line, sizeof(line))) {
		if (tells_of_lost(line))
			reads->lost = true;
		if (reads_parse(line, one))
			return true;
	}
	return false;
}

/* ---- the instance ---- */

/* Returns 0, or a negative errno. */
static int put(const char *dir, const char *file, const char *text)
{
	char *path = xasprintf("%s/%s", dir, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		ret = -errno;
	if (fd >= 0)
		close(fd);
	free(path);
	return ret;
}

static const char *find_place(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		char *path = xasprintf("%s/events/cowchain/cowchain_map", places[i]);
		bool there = !access(path, F_OK);

		free(path);
		if (there)
			return places[i];
	}
	return NULL;
}

/*
 * In another namespace of processes, one that is there may have a number that nobody has here, or ours. Its instance
 * remains all the same: the kernel removes none that somebody has open.
 */
bool reads_is_stale(const char *name)
{
	uint64_t pid;

	if (strncmp(name, PREFIX, strlen(PREFIX)) || parse_u64(name + strlen(PREFIX), &pid) || !pid || pid > INT32_MAX)
		return false;
	return (pid_t)pid == getpid() || (kill((pid_t)pid, 0) && errno == ESRCH);
}

static void remove_stale(const char *instances)
{
	DIR *d = opendir(instances);
	struct dirent *entry;

	if (!d)
		return;
	while ((entry = readdir(d)))
		if (reads_is_stale(entry->d_name))
			unlinkat(dirfd(d), entry->d_name, AT_REMOVEDIR);
	closedir(d);
}

/* dev: as the kernel has it, 12 and 20 bits. Returns 0, or a negative errno. */
static int set_up(struct reads *reads, dev_t dev, unsigned int low, unsigned int high)
{
	char *filter = xasprintf("dev == %u && op == 0 && layer >= %u && layer < %u", major(dev) << 20 | minor(dev),
				 low, high);
	char *path = xasprintf("%s/trace_pipe", reads->dir);
	int ret;

	/* What it is otherwise will do, too. */
	put(reads->dir, "buffer_size_kb", BUFFER_KIB);
	ret = put(reads->dir, "events/cowchain/cowchain_map/filter", filter);

	reads->pipe = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (!ret && reads->pipe < 0)
		ret = -errno;
	if (!ret)
		ret = put(reads->dir, "events/cowchain/cowchain_map/enable", "1");
	free(filter);
	free(path);
	return ret;
}

int reads_open(struct reads *reads, dev_t dev, unsigned int low, unsigned int high)
{
	const char *place = find_place();
	char *instances;
	int ret = 0;

	reads->pipe = -1;
	reads->start = reads->end = 0;
	reads->lost = false;
	if (!place) {
		cc_error("there is no tracepoint cowchain_map in %s: is tracefs mounted ('mount -t tracefs tracefs %s'), does the module have tracepoints, are you root?",
			 places[0], places[0]);
		return -1;
	}
	instances = xasprintf("%s/instances", place);
	remove_stale(instances);
	reads->dir = xasprintf("%s/" PREFIX "%d", instances, (int)getpid());
	if (mkdir(reads->dir, 0700))
		ret = -errno;
	if (!ret)
		ret = set_up(reads, dev, low, high);
	free(instances);
	if (!ret)
		return 0;
	cc_error("%s: cannot trace what is read: %s", reads->dir, strerror(-ret));
	reads_close(reads);
	return -1;
}

int reads_stop(const struct reads *reads)
{
	return put(reads->dir, "events/cowchain/cowchain_map/enable", "0") ? -1 : 0;
}

void reads_leave(struct reads *reads)
{
	if (reads->pipe >= 0)
		close(reads->pipe);
	reads->pipe = -1;
}

void reads_close(struct reads *reads)
{
	/* An instance that is open cannot be removed. */
	reads_leave(reads);
	if (reads->dir)
		rmdir(reads->dir);
	free(reads->dir);
	reads->dir = NULL;
}
