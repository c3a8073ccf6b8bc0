// SPDX-License-Identifier: GPL-2.0-only
/*
 * mkloop: attaches files to loop devices and prints the devices, one a line.
 *
 *	mkloop [-a] [-d] [ro:]FILE...	attach (-a autoclear, -d direct I/O)
 *	mkloop -x DEVICE...		detach
 *	mkloop -l DIRECTORY		print the loop devices whose file lies below DIRECTORY
 *
 * With -a mkloop keeps the devices open until standard input is closed, so that their user has time
 * to open them.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "loops.h"

static void usage(void)
{
	fputs("usage: mkloop [-a] [-d] [ro:]FILE... | -x DEVICE... | -l DIRECTORY\n", stderr);
	exit(2);
}

static int attach_all(char **files, struct loop_opts *opts)
{
	int *fds = NULL;
	char path[32];
	char c;
	int i;

	for (i = 0; files[i]; i++) {
		fds = realloc(fds, (i + 1) * sizeof(*fds));
		if (!fds)
			die("out of memory");
		opts->readonly = !strncmp(files[i], "ro:", 3);
		fds[i] = loop_attach(files[i] + (opts->readonly ? 3 : 0), opts, path);
		puts(path);
	}
	fflush(stdout);
	if (opts->autoclear)
		while (read(0, &c, 1) > 0)
			;
	while (i--)
		close(fds[i]);
	free(fds);
	return 0;
}

static int detach_all(char **devices)
{
	int ret = 0;
	int err;

	for (; *devices; devices++) {
		err = loop_detach(*devices);
		/* ENXIO: nothing is attached; autoclear may have been faster */
		if (err && err != ENXIO) {
			fprintf(stderr, "# %s: %s\n", *devices, strerror(err));
			ret = 1;
		}
	}
	return ret;
}

static void list_one(const char *sysfs, const char *dir)
{
	char file[4096] = "";
	FILE *f = fopen(sysfs, "r");
	const char *name = sysfs + strlen("/sys/block/");

	if (!f)
		return;
	if (fgets(file, sizeof(file), f) && !strncmp(file, dir, strlen(dir)))
		printf("/dev/%.*s\n", (int)strcspn(name, "/"), name);
	fclose(f);
}

static int list(const char *dir)
{
	glob_t g;
	size_t i;

	if (glob("/sys/block/loop*/loop/backing_file", 0, NULL, &g))
		return 0;
	for (i = 0; i < g.gl_pathc; i++)
		list_one(g.gl_pathv[i], dir);
	globfree(&g);
	return 0;
}

int main(int argc, char **argv)
{
	struct loop_opts opts = { 0 };
	int mode = 0;
	int o;

	while ((o = getopt(argc, argv, "adxl")) != -1) {
		if (o == 'a')
			opts.autoclear = true;
		else if (o == 'd')
			opts.direct = true;
		else if (o == 'x' || o == 'l')
			mode = o;
		else
			usage();
	}
	if (optind == argc)
		usage();
	if (mode == 'x')
		return detach_all(argv + optind);
	if (mode == 'l')
		return list(argv[optind]);
	return attach_all(argv + optind, &opts);
}
