// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes files, and removes them again, without resolving their names a second time.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contents.h"
#include "file.h"
#include "fs.h"
#include "loop.h"
#include "new-file.h"
#include "path.h"
#include "reserve.h"
#include "source.h"
#include "users.h"
#include "util.h"

/* As many as the kernel follows. */
#define MAX_LINKS 40

static int fail_errno(const struct new_file *file, const char *what)
{
	cc_error("%s: %s%s", file->path, what, strerror(errno));
	return -1;
}

static int open_dir(struct new_file *file)
{
	char *dir = path_dir(file->path);

	file->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (file->dir < 0)
		cc_error("%s: %s: %s", file->path, dir, strerror(errno));
	free(dir);
	return file->dir < 0 ? -1 : 0;
}

static int say_in_use(const struct new_file *file, dev_t dev)
{
	char *users = users_find(dev);

	cc_error("%s: is in use: %s", file->path,
		 users ? users : "mounted, or part of another device");
	free(users);
	return -1;
}

/* Open what was found, which is neither a FIFO nor anything else that acts when it is opened. */
static int reopen(struct new_file *file, int found, const struct stat *st)
{
	/* Of a block device, O_EXCL refuses one that is mounted or part of another device. */
	file->fd = file_reopen(found, O_RDWR | O_NONBLOCK | (S_ISBLK(st->st_mode) ? O_EXCL : 0));
	if (file->fd >= 0)
		return S_ISBLK(st->st_mode) ? 0 : loop_check_unused(st, file->path);
	return errno == EBUSY ? say_in_use(file, st->st_rdev) : fail_errno(file, "");
}

/* A device is always there: what counts is whether anything is on it. */
static int check_contents(struct new_file *file, unsigned int flags)
{
	char *found;

	if (flags & NEW_FILE_OVERWRITE_DEVICE)
		return 0;
	found = contents_find(file->fd);
	file->blank = !found;
	if (!found)
		return 0;
	cc_error("%s: contains %s: take another device%s", file->path, found,
		 flags & NEW_FILE_CAN_OVERWRITE_DEVICE ? ", or --force to overwrite it" : "");
	free(found);
	return -1;
}

/* Whoever made links that were followed, apart from root and us. */
struct link_owners {
	uid_t uid;
	unsigned int nr;
};

static void add_owner(struct link_owners *owners, uid_t uid)
{
	if (!uid || uid == geteuid() || (owners->nr && uid == owners->uid))
		return;
	owners->uid = uid;
	owners->nr++;
}

/* From *name in *dir, where an open link is, to where that leads. Returns 0, or -1 with errno. */
static int step_through(int link, int *dir, char **name)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(link, "", target, sizeof(target) - 1);
	char *parent;
	int next;

	if (len < 0)
		return -1;
	target[len] = '\0';
	parent = path_dir(target);
	next = openat(*dir, parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(parent);
	if (next < 0)
		return -1;
	close(*dir);
	*dir = next;
	free(*name);
	*name = xstrdup(path_base(target));
	return 0;
}

/*
 * file_find(), but one link after the other, each of which is held while its owner is looked at: what is
 * found is what the links lead to that were looked at. Returns a descriptor, or -1 with errno.
 */
static int find_by_links(const struct new_file *file, struct stat *st, struct link_owners *owners)
{
	int dir = fcntl(file->dir, F_DUPFD_CLOEXEC, 0), found = -1, left;
	char *name = xstrdup(path_base(file->path));

	for (left = MAX_LINKS; dir >= 0; left--) {
		found = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (found < 0 || (!fstat(found, st) && !S_ISLNK(st->st_mode)))
			break;
		add_owner(owners, st->st_uid);
		if (!left)
			errno = ELOOP;
		if (!left || step_through(found, &dir, &name)) {
			close(found);
			found = -1;
			break;
		}
		close(found);
	}
	free(name);
	if (dir >= 0)
		close(dir);
	return found;
}

/*
 * What is overwritten or becomes a top may be found through links, as that of a volume in /dev. In a directory
 * of somebody else, a link may lead to any file of the host: all have to be root's or ours, or to belong to the
 * owner of what they lead to.
 */
static int check_owners(const struct new_file *file, const struct link_owners *owners, const struct stat *st)
{
	if (!owners->nr || (owners->nr == 1 && owners->uid == st->st_uid))
		return 0;
	cc_error("%s: is a link of another user: name the file itself", file->path);
	return -1;
}

/* --force does not extend to mounted devices or to layers of a chain. */
static int open_existing(struct new_file *file, unsigned int flags)
{
	struct link_owners owners = { 0 };
	struct stat st = { 0 };
	int found = find_by_links(file, &st, &owners);
	int ret = -1;

	if (found < 0)
		fail_errno(file, "");
	else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		cc_error("%s: neither a regular file nor a block device", file->path);
	else if (S_ISBLK(st.st_mode) && flags & NEW_FILE_NO_DEVICE)
		cc_error("%s: is a block device, not a regular file", file->path);
	else if (S_ISREG(st.st_mode) && !(flags & NEW_FILE_OVERWRITE))
		cc_error("%s: was replaced while it was being opened", file->path);
	else if (!check_owners(file, &owners, &st))
		ret = reopen(file, found, &st);
	if (!ret && S_ISBLK(st.st_mode))
		ret = check_contents(file, flags);
	if (found >= 0)
		close(found);
	return ret;
}

static bool is_device(const struct new_file *file)
{
	struct stat st;

	return !fstatat(file->dir, path_base(file->path), &st, 0) && S_ISBLK(st.st_mode);
}

static int open_or_make(struct new_file *file, unsigned int flags)
{
	file->fd = openat(file->dir, path_base(file->path),
			  O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
	file->made = file->fd >= 0;
	if (file->made)
		return 0;
	if (errno != EEXIST)
		return fail_errno(file, "");
	if (flags & NEW_FILE_OVERWRITE || is_device(file))
		return open_existing(file, flags);
	cc_error("%s: %s: take another name%s", file->path, strerror(EEXIST),
		 flags & NEW_FILE_CAN_OVERWRITE ? ", or --force to overwrite it" : "");
	return -1;
}

/* Space that is reserved is of use only if the file system writes to it in place. */
static int have_in_place(const struct new_file *file)
{
	if (!fs_write_in_place(file->fd))
		return 0;
	cc_error("%s: cannot have it written in place, so that --reserve is of no use: %s; remove it first, or take another name",
		 file->path, strerror(errno));
	return -1;
}

int new_file_open(struct new_file *file, const char *path, unsigned int flags)
{
	struct stat st;
	int ret;

	*file = (struct new_file){ .path = xstrdup(path), .dir = -1, .fd = -1 };
	ret = open_dir(file);
	if (!ret)
		ret = open_or_make(file, flags);
	if (!ret && flags & NEW_FILE_RESERVE && !fstat(file->fd, &st) && S_ISREG(st.st_mode))
		ret = have_in_place(file);
	if (ret) {
		new_file_remove(file);
		new_file_close(file);
	}
	return ret;
}

static char *name_of(const struct new_file *file, int fd)
{
	char *real = file_path(fd);

	if (!real)
		fail_errno(file, "cannot find out where it is: ");
	return real;
}

char *new_file_real(const struct new_file *file)
{
	return name_of(file, file->fd);
}

char *new_file_existing(const char *path)
{
	struct new_file file = { .path = xstrdup(path), .dir = -1, .fd = -1 };
	struct link_owners owners = { 0 };
	struct stat st = { 0 };
	char *real = NULL;

	if (!open_dir(&file)) {
		file.fd = find_by_links(&file, &st, &owners);
		if (file.fd < 0)
			fail_errno(&file, "");
		else if (!check_owners(&file, &owners, &st))
			real = name_of(&file, file.fd);
	}
	new_file_close(&file);
	return real;
}

char *new_file_dir(const struct new_file *file)
{
	return name_of(file, file->dir);
}

char *new_file_lasting_name(const struct new_file *file)
{
	struct stat st;
	char *name;

	if (fstat(file->fd, &st) || !S_ISBLK(st.st_mode))
		return name_of(file, file->fd);
	/* It is only written down: whatever it leads to then is checked when it is used. */
	name = source_lasting_name(file->path);
	if (!name)
		fail_errno(file, "");
	return name;
}

bool new_file_is(const struct new_file *file, const struct stat *b)
{
	struct stat a;

	if (fstat(file->fd, &a))
		return false;
	if (S_ISBLK(a.st_mode) && S_ISBLK(b->st_mode))
		return a.st_rdev == b->st_rdev;
	if (S_ISBLK(a.st_mode))
		return loop_shows_file(a.st_rdev, b);
	if (S_ISBLK(b->st_mode))
		return loop_shows_file(b->st_rdev, &a);
	return a.st_dev == b->st_dev && a.st_ino == b->st_ino;
}

int new_file_reserve(const struct new_file *file)
{
	struct stat st;
	int ret;

	if (fstat(file->fd, &st))
		return fail_errno(file, "");
	if (S_ISBLK(st.st_mode))
		return 0;
	ret = reserve(file->fd, file->path, (uint64_t)st.st_size);
	errno = -ret;
	return ret ? fail_errno(file, "cannot reserve its space: ") : 0;
}

/*
 * A directory that may be searched and written may still not be read, as by root on a server, and some file
 * systems have no fsync() of directories. Then the whole file system is written.
 */
static bool cannot_sync(int err)
{
	return err == EACCES || err == EPERM || err == EINVAL || err == EOPNOTSUPP;
}

static int sync_dir(const struct new_file *file)
{
	int dir = file_reopen(file->dir, O_RDONLY | O_DIRECTORY);
	int ret = dir < 0 || fsync(dir) ? -1 : 0;

	if (ret && cannot_sync(errno))
		ret = syncfs(file->fd);
	if (ret)
		fail_errno(file, "cannot make its name last: ");
	if (dir >= 0)
		close(dir);
	return ret;
}

int new_file_sync(const struct new_file *file)
{
	if (!file->path)
		return 0;
	if (fsync(file->fd))
		return fail_errno(file, "cannot make it last: ");
	return file->made ? sync_dir(file) : 0;
}

void new_file_give(const struct new_file *file, const struct stat *st)
{
	/* The owner first: until then nobody else may use it. */
	if (file->made && (fchown(file->fd, st->st_uid, st->st_gid) ||
			   fchmod(file->fd, st->st_mode & 0666)))
		cc_note("%s: cannot give it the owner and permissions of the present top: %s",
			file->path, strerror(errno));
}

/* What has its name now; without following a link if the file was made, which is none. */
static bool has_name(const struct new_file *file)
{
	struct stat st;

	return !fstatat(file->dir, path_base(file->path), &st,
			file->made ? AT_SYMLINK_NOFOLLOW : 0) &&
	       new_file_is(file, &st);
}

int new_file_check_name(const struct new_file *file)
{
	if (has_name(file))
		return 0;
	cc_error("%s: was replaced while it was being made", file->path);
	return -1;
}

void new_file_written(struct new_file *file)
{
	file->written = true;
}

/* What has been on it is lost only as far as it was overwritten, and the header of an image is at its start. */
static void clear_device(const struct new_file *file)
{
	struct stat st;

	if (!file->written || fstat(file->fd, &st) || !S_ISBLK(st.st_mode))
		return;
	if (contents_clear(file->fd, file->blank))
		fail_errno(file, "has a part of an image, which cannot be removed: ");
}

void new_file_remove(const struct new_file *file)
{
	if (!file->path)
		return;
	if (!file->made) {
		clear_device(file);
		return;
	}
	/* An owner of the directory who exchanges it right now loses a file of his. */
	if (has_name(file) && unlinkat(file->dir, path_base(file->path), 0))
		fail_errno(file, "cannot remove it: ");
}

void new_file_close(struct new_file *file)
{
	if (!file->path)
		return;
	if (file->fd >= 0)
		close(file->fd);
	if (file->dir >= 0)
		close(file->dir);
	free(file->path);
	memset(file, 0, sizeof(*file));
}
