// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultwalk: keeps the images of a run for qemu-img.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export.h"
#include "files.h"
#include "scenarios.h"

static void copy_file(int from, const char *name, uint64_t size)
{
	static uint8_t buf[65536];
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	uint64_t at;

	if (fd < 0 || ftruncate(fd, size))
		die("%s: %s", name, strerror(errno));
	for (at = 0; at < size; at += sizeof(buf)) {
		size_t n = size - at < sizeof(buf) ? size - at : sizeof(buf);

		if (pread_full(from, buf, n, at))
			die("%s: cannot copy", name);
		if (!is_zero(buf, n) && pwrite_full(fd, buf, n, at))
			die("%s: cannot write", name);
	}
	close(fd);
}

void export_run(struct walk *w, unsigned int top, const uint8_t *disk)
{
	char dir[64], name[128], target[64];
	unsigned int i;
	FILE *f;
	int r;

	/* an earlier walk of the same case may have made some */
	do {
		snprintf(dir, sizeof(dir), "%s-%u", w->scenario->name, ++w->exported);
		r = mkdir(dir, 0755);
	} while (r && errno == EEXIST);
	if (r)
		die("%s: %s", dir, strerror(errno));
	for (i = 0; i < w->n_files; i++) {
		snprintf(name, sizeof(name), "%s/%s", dir, w->files[i].name);
		snprintf(target, sizeof(target), "../%s", w->files[i].name);
		if (may_change(w, i))
			copy_file(w->files[i].fd, name, w->files[i].size);
		else if (symlink(target, name))
			die("%s: %s", name, strerror(errno));
	}
	snprintf(name, sizeof(name), "%s/" OTHER_NAME, dir);
	if (symlink("../a.raw", name))
		die("%s: %s", name, strerror(errno));
	snprintf(name, sizeof(name), "%s/model.raw", dir);
	f = fopen(name, "w");
	if (!f || fwrite(disk, SECTOR, w->model.sectors, f) != w->model.sectors || fclose(f))
		die("%s: cannot write", name);
	if (top > FILE_D)
		fprintf(w->manifest, "check %s/d.qcow2\n", dir);
	if (w->base != NO_FILE && w->base != FILE_A && w->base != top)
		fprintf(w->manifest, "check %s/%s\n", dir, w->files[w->base].name);
	fprintf(w->manifest, "check %s/%s\ncompare %s/%s %s/model.raw\n", dir, w->files[top].name,
		dir, w->files[top].name, dir);
}
