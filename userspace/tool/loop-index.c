// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which loop devices may show which file, looked up once for all layers of a chain.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "loop-index.h"
#include "loop-sysfs.h"
#include "mounts.h"
#include "util.h"

static struct entry {
	char *name;
	bool unknown;		/* its file cannot be found by its name, or not be asked: it may be any */
	dev_t file_dev;
	ino_t file_ino;
} *entries;
static size_t nr_entries;
static bool active, filled;

/* A device without a file is none. */
static void add(const char *name)
{
	char *path = loop_sysfs_file(name);
	struct entry *entry;
	struct stat st;

	if (!path)
		return;
	entries = xrealloc(entries, nr_entries + 1, sizeof(*entries));
	entry = &entries[nr_entries++];
	*entry = (struct entry){ .name = xstrdup(name) };
	entry->unknown = mounts_may_hang(path, 0) || stat(path, &st);
	if (!entry->unknown) {
		entry->file_dev = st.st_dev;
		entry->file_ino = st.st_ino;
	}
	free(path);
}

static void fill(void)
{
	DIR *dir = opendir("/sys/block");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "loop", 4))
			add(entry->d_name);
	if (dir)
		closedir(dir);
	filled = true;
}

void loop_index_begin(void)
{
	active = true;
}

void loop_index_end(void)
{
	while (nr_entries)
		free(entries[--nr_entries].name);
	free(entries);
	entries = NULL;
	active = false;
	filled = false;
}

bool loop_index_active(void)
{
	return active;
}

const char *loop_index_next(const struct stat *file, size_t *at)
{
	const struct entry *entry;

	if (!filled)
		fill();
	while (*at < nr_entries) {
		entry = &entries[(*at)++];
		if (entry->unknown || (entry->file_dev == file->st_dev && entry->file_ino == file->st_ino))
			return entry->name;
	}
	return NULL;
}
