// SPDX-License-Identifier: GPL-2.0-only
/*
 * crashfs: writes files with fsync to a file system, and checks that they exist after a power loss.
 *
 *	crashfs run DIRECTORY ROUNDS SEED LOG-WRITES-NAME
 *	crashfs check DIRECTORY ROUND SEED
 *
 * Round N writes file N under another name, renames it once it is durable, adds a sector to the
 * file "log", removes file N - KEEP, and sets the mark "fs-N". So with that mark in the log, the
 * files up to N exist and are complete, except for those that were removed. Later files may exist
 * or not, but never with other contents than those written.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"
#include "dm.h"

#define KEEP	24
#define MAX	(96u << 10)

static uint64_t size_of(uint64_t seed, uint64_t n)
{
	return (1 + mix64(seed ^ n) % (MAX / SECTOR)) * SECTOR;
}

static void fill(uint8_t *buf, uint64_t seed, uint64_t n)
{
	uint64_t i;

	for (i = 0; i < size_of(seed, n); i += SECTOR)
		sector_fill(buf + i, seed, i / SECTOR, n);
}

static int open_file(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, flags, 0644);

	if (fd < 0)
		die("%s: %s", name, strerror(errno));
	return fd;
}

static void sync_or_die(int fd)
{
	if (fsync(fd))
		die("fsync: %s", strerror(errno));
}

static void write_file(int dir, uint8_t *buf, uint64_t seed, uint64_t n)
{
	char name[32];
	int fd = open_file(dir, "new", O_WRONLY | O_CREAT | O_TRUNC);

	fill(buf, seed, n);
	if (pwrite_full(fd, buf, size_of(seed, n), 0))
		die("new: cannot write");
	sync_or_die(fd);
	close(fd);
	snprintf(name, sizeof(name), "f%" PRIu64, n);
	if (renameat(dir, "new", dir, name))
		die("%s: %s", name, strerror(errno));
	sync_or_die(dir);
}

static void one_round(int dir, int log, uint8_t *buf, uint64_t seed, uint64_t n)
{
	char name[32];

	write_file(dir, buf, seed, n);
	sector_fill(buf, seed, n, n);
	if (pwrite_full(log, buf, SECTOR, (n - 1) * SECTOR))
		die("log: cannot write");
	sync_or_die(log);
	if (n <= KEEP)
		return;
	snprintf(name, sizeof(name), "f%" PRIu64, n - KEEP);
	if (unlinkat(dir, name, 0))
		die("%s: %s", name, strerror(errno));
	sync_or_die(dir);
}

static int run(const char *path, uint64_t rounds, uint64_t seed, const char *log_writes)
{
	int dir = open_file(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
	int log = open_file(dir, "log", O_WRONLY | O_CREAT);
	uint8_t *buf = xalloc(MAX);
	uint64_t n;

	for (n = 1; n <= rounds; n++) {
		one_round(dir, log, buf, seed, n);
		if (dm_message(log_writes, "mark fs-%" PRIu64, n))
			die("no mark");
	}
	return 0;
}

/* Return: NULL, or what is wrong with the file. */
static const char *check_file(int dir, const char *name, const uint8_t *want, uint64_t size,
			      bool longer)
{
	uint8_t *got = xalloc(size);
	int fd = openat(dir, name, O_RDONLY);
	const char *bad = NULL;

	if (fd < 0)
		return "is missing";
	if (longer ? size_of_fd(fd) < size : size_of_fd(fd) != size)
		bad = "has another size";
	else if (pread_full(fd, got, size, 0) || memcmp(got, want, size))
		bad = "holds something else";
	close(fd);
	free(got);
	return bad;
}

static int check(const char *path, uint64_t round, uint64_t seed)
{
	int dir = open_file(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
	uint8_t *buf = xalloc(MAX > round * SECTOR ? MAX : round * SECTOR);
	uint64_t n, failed = 0;
	const char *bad;
	char name[32];

	/* the next one may have been renamed, but then its contents are complete */
	for (n = 1; n <= round + 1; n++) {
		snprintf(name, sizeof(name), "f%" PRIu64, n);
		fill(buf, seed, n);
		bad = check_file(dir, name, buf, size_of(seed, n), false);
		if (n + KEEP <= round)
			bad = bad && !strcmp(bad, "is missing") ? NULL : "is there again";
		else if (bad && !strcmp(bad, "is missing") && (n > round || n + KEEP == round + 1))
			bad = NULL;
		if (bad && ++failed)
			printf("# after round %" PRIu64 ": %s %s\n", round, name, bad);
	}
	for (n = 1; n <= round; n++)
		sector_fill(buf + (n - 1) * SECTOR, seed, n, n);
	bad = round ? check_file(dir, "log", buf, round * SECTOR, true) : NULL;
	if (bad && ++failed)
		printf("# after round %" PRIu64 ": log %s\n", round, bad);
	return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "run"))
		return run(argv[2], parse_size(argv[3], 0), parse_size(argv[4], 0), argv[5]);
	if (argc == 5 && !strcmp(argv[1], "check"))
		return check(argv[2], parse_size(argv[3], 0), parse_size(argv[4], 0));
	fputs("usage: crashfs run DIRECTORY ROUNDS SEED LOG-WRITES-NAME\n"
	      "       crashfs check DIRECTORY ROUND SEED\n", stderr);
	return 2;
}
