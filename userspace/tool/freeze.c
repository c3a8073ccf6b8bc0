// SPDX-License-Identifier: GPL-2.0-only
/*
 * Freezes file systems and guests for a snapshot.
 *
 * A child, the guard, thaws if this program is killed: it reads a pipe, whose other end is closed by that. Both
 * would have to be killed at once (a whole control group, say) for something to stay frozen; then fsfreeze(8)
 * thaws. Before a file system is frozen, all that is needed to thaw it is there: it is open, and the guard runs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/fs.h>

#include "freeze.h"
#include "mounts.h"
#include "plan.h"
#include "util.h"

struct frozen_fs {
	int fd;
	unsigned int order;
	dev_t id;
	char *path;
	bool *frozen;		/* shared with the guard */
};

/* ---- finding them ---- */

static int mount_id_of(int fd)
{
	char *path = xasprintf("/proc/self/fdinfo/%d", fd), *line = NULL;
	FILE *f = fopen(path, "re");
	size_t room = 0;
	int id = -1;

	while (f && id < 0 && getline(&line, &room, f) > 0)
		if (sscanf(line, "mnt_id: %d", &id) != 1)
			id = -1;
	if (f)
		fclose(f);
	free(line);
	free(path);
	return id;
}

/* One that another mount covers cannot be opened by its name. */
static int open_mount(const struct mount_point *at)
{
	int fd = open(at->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && mount_id_of(fd) == at->id)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

struct search {
	struct freeze *freeze;
	bool found;		/* a file system that is not open yet */
	dev_t fs;
	char *path;
};

static bool have_fs(const struct freeze *freeze, dev_t id)
{
	size_t i;

	for (i = 0; i < freeze->nr; i++)
		if (freeze->fs[i].id == id)
			return true;
	return false;
}

static int add_mount(const struct mount_point *at, void *data)
{
	struct search *search = data;
	struct freeze *freeze = search->freeze;
	struct frozen_fs *fs;
	int fd;

	if (have_fs(freeze, at->fs))
		return 0;
	fd = open_mount(at);
	if (fd < 0) {
		search->found = true;
		search->fs = at->fs;
		free(search->path);
		search->path = xstrdup(at->path);
		return 0;
	}
	freeze->fs = xrealloc(freeze->fs, freeze->nr + 1, sizeof(*freeze->fs));
	fs = &freeze->fs[freeze->nr++];
	fs->fd = fd;
	fs->order = at->order;
	fs->id = at->fs;
	fs->path = xstrdup(at->path);
	fs->frozen = NULL;
	return 0;
}

static int add_mounts(struct freeze *freeze, dev_t dev)
{
	struct search search = { .freeze = freeze };
	int ret;

	mounts_each(dev, add_mount, &search);
	ret = search.found && !have_fs(freeze, search.fs) ? -1 : 0;
	if (ret)
		cc_error("%s: the file system cannot be reached, so it cannot be frozen: is another one mounted over it?",
			 search.path);
	free(search.path);
	return ret;
}

static int device_of(const char *name, dev_t *dev)
{
	char *path = xasprintf("/sys/class/block/%s/dev", name);
	FILE *f = fopen(path, "re");
	unsigned int maj, min;
	int ret = f && fscanf(f, "%u:%u", &maj, &min) == 2 ? 0 : -1;

	if (f)
		fclose(f);
	free(path);
	if (!ret)
		*dev = makedev(maj, min);
	return ret;
}

/* Logical volumes, partitions that kpartx has made, RAIDs: as deep as they are. */
int freeze_add(struct freeze *freeze, dev_t dev)
{
	char *path = xasprintf("/sys/dev/block/%u:%u/holders", major(dev), minor(dev));
	DIR *dir = opendir(path);
	struct dirent *entry;
	int ret = add_mounts(freeze, dev);
	dev_t holder;

	while (!ret && dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && !device_of(entry->d_name, &holder))
			ret = freeze_add(freeze, holder);
	if (dir)
		closedir(dir);
	free(path);
	return ret;
}

/* What was mounted last may be on what was mounted before, in a file. */
static int by_order(const void *a, const void *b)
{
	const struct frozen_fs *x = a, *y = b;

	return x->order > y->order ? -1 : x->order < y->order;
}

/* ---- freezing, thawing ---- */

static int thaw_all(struct freeze *freeze)
{
	int ret = 0;
	size_t i;

	for (i = freeze->nr; i-- > 0; ) {
		struct frozen_fs *fs = &freeze->fs[i];

		if (!fs->frozen || !*fs->frozen)
			continue;
		if (ioctl(fs->fd, FITHAW, 0) && errno != EINVAL) {
			cc_error("%s: cannot be thawed: %s: try 'fsfreeze --unfreeze %s'", fs->path, strerror(errno),
				 shell_word(fs->path));
			ret = -1;
		}
		*fs->frozen = false;
	}
	return ret;
}

/* The mark comes first, for the guard. */
static int freeze_one(struct frozen_fs *fs)
{
	int err;

	*fs->frozen = true;
	if (!ioctl(fs->fd, FIFREEZE, 0))
		return 0;
	err = errno;
	*fs->frozen = false;
	if (err == EBUSY) {
		cc_note("%s: is frozen already, and stays so", fs->path);
		return 0;
	}
	if (err == EOPNOTSUPP) {
		cc_note("%s: this kind of file system cannot be frozen: it is written back instead", fs->path);
		return syncfs(fs->fd);
	}
	cc_error("%s: cannot be frozen: %s", fs->path, strerror(err));
	return -1;
}

/* Returns when the other end is closed, or says that all is well. */
static void guard(struct freeze *freeze, int fd)
{
	char byte;
	ssize_t n;

	/* What ends the group of a terminal, or of a shell's job, does not end this. */
	setsid();
	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(0);
	thaw_all(freeze);
	hook_run(&freeze->hook, true);
	_exit(0);
}

static int start_guard(struct freeze *freeze)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC)) {
		cc_error("cannot make a pipe: %s", strerror(errno));
		return -1;
	}
	fflush(NULL);
	freeze->guard = fork();
	if (!freeze->guard) {
		close(ends[1]);
		guard(freeze, ends[0]);
	}
	close(ends[0]);
	freeze->guard_fd = ends[1];
	if (freeze->guard > 0)
		return 0;
	freeze->guard = 0;
	close(ends[1]);
	cc_error("cannot start a process that thaws if this one is killed: %s", strerror(errno));
	return -1;
}

static void end_guard(struct freeze *freeze)
{
	if (!freeze->guard)
		return;
	if (write(freeze->guard_fd, "", 1) != 1)
		cc_debug("the guard is gone");
	close(freeze->guard_fd);
	waitpid(freeze->guard, NULL, 0);
	freeze->guard = 0;
}

/* Marks that the guard sees. */
static int share_marks(struct freeze *freeze)
{
	bool *marks;
	size_t i;

	if (!freeze->nr)
		return 0;
	marks = mmap(NULL, freeze->nr, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (marks == MAP_FAILED) {
		cc_error("out of memory");
		return -1;
	}
	for (i = 0; i < freeze->nr; i++)
		freeze->fs[i].frozen = &marks[i];
	return 0;
}

/* See plan.h. */
static int plan_begin_freeze(const struct freeze *freeze)
{
	size_t i;

	if (freeze->hook.command)
		plan_line("sh", "-c", freeze->hook.command, "sh", "freeze", (char *)NULL);
	for (i = 0; i < freeze->nr; i++)
		plan_line("fsfreeze", "--freeze", freeze->fs[i].path, (char *)NULL);
	return 0;
}

static int plan_end_freeze(const struct freeze *freeze)
{
	size_t i;

	for (i = freeze->nr; i-- > 0; )
		plan_line("fsfreeze", "--unfreeze", freeze->fs[i].path, (char *)NULL);
	if (freeze->hook.command)
		plan_line("sh", "-c", freeze->hook.command, "sh", "thaw", (char *)NULL);
	return 0;
}

int freeze_begin(struct freeze *freeze)
{
	int ret = 0;
	size_t i;

	if (!freeze->nr && !freeze->hook.command)
		return 0;
	qsort(freeze->fs, freeze->nr, sizeof(*freeze->fs), by_order);
	if (plan_wanted())
		return plan_begin_freeze(freeze);
	if (share_marks(freeze) || start_guard(freeze))
		return -1;
	freeze->begun = true;
	ret = hook_run(&freeze->hook, false);
	cc_hold_messages(true);
	for (i = 0; i < freeze->nr && !ret; i++)
		ret = freeze_one(&freeze->fs[i]);
	return ret;
}

int freeze_end(struct freeze *freeze)
{
	int ret = 0;

	if (plan_wanted())
		return plan_end_freeze(freeze);
	if (freeze->begun)
		ret = thaw_all(freeze);
	cc_hold_messages(false);
	/* Also after one that has failed: a guest may have frozen all the same. */
	if (freeze->begun && hook_run(&freeze->hook, true))
		ret = -1;
	freeze->begun = false;
	end_guard(freeze);
	return ret;
}

void freeze_free(struct freeze *freeze)
{
	size_t i;

	if (freeze->nr && freeze->fs[0].frozen)
		munmap(freeze->fs[0].frozen, freeze->nr);
	for (i = 0; i < freeze->nr; i++) {
		close(freeze->fs[i].fd);
		free(freeze->fs[i].path);
	}
	free(freeze->fs);
	freeze->fs = NULL;
	freeze->nr = 0;
}
