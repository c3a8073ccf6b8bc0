// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's image locks: takes ours and checks for conflicting ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

#include "lock.h"
#include "macros.h"

#define USED_BASE 100
#define UNSHARED_BASE 200

/*
 * Numbers of permissions. They are a protocol between processes and so the same in all versions of
 * QEMU.
 */
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

/* Is the byte locked by another program? Returns 1, 0 or -errno. */
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
	const char *why;	/* why such a lock is a conflict */
};

#define REMEDY " (is a virtual machine, qemu-img or another chain using it?): stop that first"

static const struct lock_check read_checks[] = {
	{ UNSHARED_BASE + PERM_CONSISTENT_READ,
	  "the image is used by a program that lets nobody else read it" REMEDY },
	{ USED_BASE + PERM_WRITE, "the image is open for writing" REMEDY },
	{ USED_BASE + PERM_RESIZE, "the image is open for resizing" REMEDY },
};

/* More conflicts of a writer: programs that rely on an unchanging file. */
static const struct lock_check write_checks[] = {
	{ UNSHARED_BASE + PERM_WRITE,
	  "the image is used by a program or chain that relies on its contents" REMEDY },
	{ UNSHARED_BASE + PERM_WRITE_UNCHANGED,
	  "the image is used by a program that lets nobody else write" REMEDY },
};

static int check_all(int fd, const struct lock_check *checks, size_t nr, const char **why)
{
	size_t i;
	int ret;

	for (i = 0; i < nr; i++) {
		ret = test_lock(fd, checks[i].byte);
		if (ret < 0)
			return ret;
		if (ret) {
			*why = checks[i].why;
			return -EBUSY;
		}
	}
	return 0;
}

int image_lock(int fd, bool writable, const char **why)
{
	/*
	 * "In use by us, and nobody else may write". PERM_WRITE is not among them, even for a top:
	 * a snapshot turns the top into a read-only layer, which qemu-img must be able to read, but
	 * a lock cannot be dropped from the description that the loop device holds.
	 */
	static const off_t lasting[] = {
		USED_BASE + PERM_CONSISTENT_READ,
		UNSHARED_BASE + PERM_WRITE,
		UNSHARED_BASE + PERM_RESIZE,
	};
	size_t i;
	int ret;

	*why = "the image is locked by another program: stop that first";
	/*
	 * Lock before checking: of two programs that start together, at least one sees the other.
	 */
	for (i = 0; i < ARRAY_SIZE(lasting); i++) {
		ret = set_lock(fd, lasting[i]);
		if (ret == -EAGAIN || ret == -EACCES)
			return -EBUSY;
		if (ret)
			return ret;
	}
	ret = check_all(fd, read_checks, ARRAY_SIZE(read_checks), why);
	if (!ret && writable)
		ret = check_all(fd, write_checks, ARRAY_SIZE(write_checks), why);
	return ret;
}
