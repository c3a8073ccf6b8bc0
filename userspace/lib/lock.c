// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>

#include "lock.h"
#include "util.h"

#define USED_BASE 100
#define UNSHARED_BASE 200

/* Permission numbers; the same in every version of QEMU, as they are its protocol between processes. */
enum {
	PERM_CONSISTENT_READ = 0,
	PERM_WRITE = 1,
	PERM_WRITE_UNCHANGED = 2,
	PERM_RESIZE = 3,
};

static int set_lock(int fd, off_t byte)
{
	struct flock fl = {
		.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1,
	};

	return fcntl(fd, F_OFD_SETLK, &fl) ? -errno : 0;
}

/* Does someone else hold the byte? Returns 1, 0 or -errno. */
static int test_lock(int fd, off_t byte)
{
	struct flock fl = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1,
	};

	if (fcntl(fd, F_OFD_GETLK, &fl))
		return -errno;
	return fl.l_type != F_UNLCK;
}

struct lock_check {
	off_t byte;
	const char *held;	/* what it means when somebody holds the byte */
};

static const struct lock_check read_checks[] = {
	{ UNSHARED_BASE + PERM_CONSISTENT_READ, "used by a program that lets nobody else read it" },
	{ USED_BASE + PERM_WRITE, "open for writing" },
	{ USED_BASE + PERM_RESIZE, "open for resizing" },
};

/* A writer meets the same ones, and those who rely on a file that does not change. */
static const struct lock_check write_checks[] = {
	{ UNSHARED_BASE + PERM_WRITE, "used by a program or chain that relies on its contents" },
	{ UNSHARED_BASE + PERM_WRITE_UNCHANGED, "used by a program that lets nobody else write" },
};

static int check_all(int fd, const char *path, const struct lock_check *checks, size_t nr)
{
	size_t i;
	int ret;

	for (i = 0; i < nr; i++) {
		ret = test_lock(fd, checks[i].byte);
		if (ret < 0) {
			cc_debug("%s: no image locks here: %s", path, strerror(-ret));
			return 0;
		}
		if (ret) {
			cc_error("%s: the image is %s (is a virtual machine, qemu-img or another chain using it?): stop that first",
				 path, checks[i].held);
			return -1;
		}
	}
	return 0;
}

int image_lock(int fd, const char *path, bool writable)
{
	/*
	 * "In use by us, and nobody else may write". A top does not hold PERM_WRITE for good: there is
	 * no way to drop a lock from the loop device's description when a snapshot turns this top into
	 * a read-only layer, and qemu-img must be able to read it then.
	 */
	static const off_t lasting[] = {
		USED_BASE + PERM_CONSISTENT_READ,
		UNSHARED_BASE + PERM_WRITE,
		UNSHARED_BASE + PERM_RESIZE,
	};
	size_t i;
	int ret;

	/* Lock first and look second: of two programs that start together, at least one sees the other. */
	for (i = 0; i < ARRAY_SIZE(lasting); i++) {
		ret = set_lock(fd, lasting[i]);
		if (ret == -EAGAIN || ret == -EACCES) {
			cc_error("%s: the image is locked by another program: stop that first", path);
			return -1;
		}
		if (ret) {
			cc_debug("%s: no image locks here: %s", path, strerror(-ret));
			return 0;
		}
	}
	if (check_all(fd, path, read_checks, ARRAY_SIZE(read_checks)))
		return -1;
	if (writable)
		return check_all(fd, path, write_checks, ARRAY_SIZE(write_checks));
	return 0;
}
