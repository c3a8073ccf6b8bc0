// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commonest calls of mkdir, mv, rm and sleep, see builtins.c: directories to make, a rename,
 * files and trees to remove, a time in seconds. The rest is left to the real ones.
 */
#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "leave.h"

static bool any_option(char **argv)
{
	while (*++argv)
		if (**argv == '-')
			return true;
	return false;
}

static int complain(const char *what, const char *path)
{
	fprintf(stderr, "%s: %s: %s\n", what, path, strerror(errno));
	return 1;
}

int mkdir_main(int argc, char **argv)
{
	int rc = 0;

	if (argc < 2 || any_option(argv))
		return run_real(argv);
	while (*++argv)
		if (mkdir(*argv, 0777))
			rc = complain("mkdir", *argv);
	return rc;
}

/* A rename within a file system, of something that is no directory's new entry by its own name. */
int mv_main(int argc, char **argv)
{
	struct stat st;

	if (argc != 3 || any_option(argv) || (!stat(argv[2], &st) && S_ISDIR(st.st_mode)) ||
	    rename(argv[1], argv[2]))
		return run_real(argv);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	return (type == FTW_DP ? rmdir(path) : unlink(path)) ? complain("rm", path) : 0;
}

/* rm FILE..., rm -f FILE..., rm -rf FILE... */
int rm_main(int argc, char **argv)
{
	bool tree = argc > 2 && !strcmp(argv[1], "-rf");
	bool force = tree || (argc > 2 && !strcmp(argv[1], "-f"));
	int rc = 0;

	if (argc < 2 || any_option(argv + force))
		return run_real(argv);
	for (argv += 1 + force; *argv; argv++) {
		if (!unlink(*argv) || (force && errno == ENOENT))
			continue;
		if (!tree || errno != EISDIR)
			rc = complain("rm", *argv);
		else if (nftw(*argv, remove_one, 16, FTW_DEPTH | FTW_PHYS))
			rc = 1;
	}
	return rc;
}

int sleep_main(int argc, char **argv)
{
	struct timespec t;
	double seconds;
	char *end;

	if (argc != 2)
		return run_real(argv);
	seconds = strtod(argv[1], &end);
	if (*end || end == argv[1] || seconds < 0)
		return run_real(argv);
	t.tv_sec = seconds;
	t.tv_nsec = (seconds - t.tv_sec) * 1e9;
	while (nanosleep(&t, &t) && errno == EINTR)
		;
	return 0;
}
