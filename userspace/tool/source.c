// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens the file or block device of a layer, checks it, and gets a block device for the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devno.h"
#include "file.h"
#include "lock.h"
#include "loop.h"
#include "path.h"
#include "plan.h"
#include "source.h"
#include "users.h"
#include "util.h"

static int fail_errno(const char *path)
{
	cc_error("%s: %s%s", path, strerror(errno), errno == EMFILE ?
		 ": each file of a chain needs a descriptor: raise the limit with 'ulimit -n'" : "");
	return -1;
}

/* Links may have changed since the canonical path was found and allowed. */
static bool is_at(int fd, const char *path)
{
	char *real = file_path(fd);
	bool is = real && !strcmp(real, path);

	free(real);
	return is;
}

/* The kernel writes to the device without its page cache, so do not read from that. */
static int reopen(struct source *src, int found, bool block)
{
	int flags = O_NONBLOCK | (block ? O_DIRECT : 0);
	int fd = -1;

	if (src->writable && !block) {
		fd = file_reopen(found, O_RDWR | flags);
		if (fd >= 0 || (errno != EROFS && errno != EACCES && errno != EPERM))
			return fd;
		src->write_error = errno;
	}
	return file_reopen(found, O_RDONLY | flags);
}

/*
 * Check before opening: a name from a header may lead to a FIFO, which blocks, or to a character
 * device, which may act when opened. What is elsewhere is not even opened.
 */
static int open_checked(struct source *src, const char *path, const char *must_be)
{
	struct stat st;
	int found = file_find(AT_FDCWD, path, &st), fd = -1;

	if (found < 0)
		return fail_errno(path);
	if (must_be && !is_at(found, must_be)) {
		cc_error("%s: changed while it was being opened", path);
	} else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		cc_error("%s: neither a regular file nor a block device", path);
	} else {
		fd = reopen(src, found, S_ISBLK(st.st_mode));
		if (fd < 0)
			fail_errno(path);
	}
	close(found);
	return fd;
}

static int say_bad_length(const struct source *src, unsigned int flags)
{
	const char *also = flags & SOURCE_CAN_PAD ? ", by --pad or" : "";

	if (src->size < SECTOR_SIZE)
		cc_error("%s: has %" PRIu64 " bytes, but a loop device cannot show less than a sector: fill it up with zeros, which is how it is read%s: truncate -s %d %s",
			 src->path, src->size, also, SECTOR_SIZE, shell_word(src->path));
	else
		cc_error("%s: its length of %" PRIu64 " bytes is not a multiple of %d, which that of a prepared image is: was it cut off? If 'qemu-img check' finds it whole, pad it with zeros%s: truncate -s %%%d %s",
			 src->path, src->size, SECTOR_SIZE, also, SECTOR_SIZE, shell_word(src->path));
	return -1;
}

/*
 * A prepared image has whole sectors, so something was cut off, or added. A layer that is only read may have any
 * length: what its loop device does not show is its tail. But there must be something to show.
 */
int source_check_length(struct source *src, unsigned int flags)
{
	unsigned int rest = tail_length(src->size);

	bool tiny = src->size < SECTOR_SIZE;

	if (src->block || (!rest && !tiny))
		return 0;
	if (!src->writable && !tiny) {
		if (flags & SOURCE_PAD)
			cc_note("%s: is not padded, and need not be: a layer that is only read can have any length",
				src->path);
		return 0;
	}
	if (!(flags & SOURCE_PAD))
		return say_bad_length(src, flags);
	src->pad = true;
	src->size += SECTOR_SIZE - rest;
	return 0;
}

/* Extend the file, and never truncate it: another program may have extended it meanwhile. */
static int grow(int fd, uint64_t from, uint64_t to)
{
	if (!fallocate(fd, 0, (off_t)from, (off_t)(to - from)))
		return 0;
	return errno == EOPNOTSUPP ? ftruncate(fd, (off_t)to) : -1;
}

static int say_length(const struct source *src)
{
	cc_error("%s: its length has changed since it was opened: is it in use?", src->path);
	return -1;
}

/* Called last, so that a refused image is not changed. */
static int pad_file(const struct source *src)
{
	/* src->fd may be read-only. */
	int fd = file_reopen(src->fd, O_WRONLY);
	struct stat st;
	int ret = -1;

	if (fd < 0 || fstat(fd, &st)) {
		fail_errno(src->path);
	} else if ((uint64_t)st.st_size != src->length) {
		say_length(src);
	} else {
		ret = grow(fd, src->length, src->size);
		if (ret)
			fail_errno(src->path);
	}
	if (fd >= 0)
		close(fd);
	return ret;
}

static int look_at(struct source *src)
{
	struct stat st;

	src->real = file_path(src->fd);
	if (!src->real || fstat(src->fd, &st))
		return fail_errno(src->path);
	if (S_ISBLK(st.st_mode)) {
		src->block = true;
		src->dev = st.st_rdev;
		if (ioctl(src->fd, BLKGETSIZE64, &src->size))
			return fail_errno(src->path);
	} else if (S_ISREG(st.st_mode)) {
		src->length = (uint64_t)st.st_size;
		src->size = src->length;
	} else {
		cc_error("%s: neither a regular file nor a block device", src->path);
		return -1;
	}
	src->file_dev = st.st_dev;
	src->file_ino = st.st_ino;
	return 0;
}

int source_open(struct source *src, const char *path, const char *must_be, bool writable)
{
	memset(src, 0, sizeof(*src));
	src->path = xstrdup(path);
	src->dev_fd = -1;
	src->writable = writable;
	src->fd = open_checked(src, path, must_be);
	if (src->fd < 0 || look_at(src)) {
		source_close(src);
		return -1;
	}
	return 0;
}

void source_plan(struct source *src, const char *path)
{
	struct stat st;

	memset(src, 0, sizeof(*src));
	src->path = path_absolute(path);
	src->fd = -1;
	src->dev_fd = -1;
	src->writable = true;
	if (!stat(path, &st) && S_ISBLK(st.st_mode)) {
		src->block = true;
		src->dev = st.st_rdev;
	}
}

int source_check_writable(const struct source *src, const char *remedy)
{
	if (!src->write_error)
		return 0;
	cc_error("%s: cannot be written: %s: %s", src->path, strerror(src->write_error), remedy);
	return -1;
}

int source_lock(const struct source *src)
{
	const char *why;
	int ret = image_lock(src->fd, src->writable, &why);

	if (ret == -EBUSY) {
		cc_error("%s: %s", src->path, why);
		return -1;
	}
	if (ret)
		cc_debug("%s: no image locks here: %s", src->path, strerror(-ret));
	return 0;
}

/*
 * Through the descriptor that the loop device was made of. The length is looked at when that is there, so that
 * both are the parts of one file.
 */
static int read_tail(struct source *src)
{
	struct stat st;
	int ret;

	if (src->writable)
		return 0;
	if (fstat(src->fd, &st))
		return fail_errno(src->path);
	if ((uint64_t)st.st_size != src->length)
		return say_length(src);
	ret = tail_read(&src->tail, src->fd, src->length);
	if (!ret)
		return 0;
	errno = -ret;
	return fail_errno(src->path);
}

int source_attach(struct source *src)
{
	if (source_check_writable(src, "take another one"))
		return -1;
	if (src->block)
		return 0;
	if (src->pad && plan_wanted())
		plan_line("truncate", "-s", "%512", src->real, (char *)NULL);
	else if (src->pad && pad_file(src))
		return -1;
	src->dev_fd = loop_attach(src->fd, src->path, src->writable, &src->dev);
	return src->dev_fd < 0 ? -1 : read_tail(src);
}

void source_settle(struct source *src)
{
	if (src->block)
		return;
	close(src->fd);
	src->fd = -1;
}

void source_close(struct source *src)
{
	/* Never opened: everything is 0, but descriptor 0 is not ours. */
	if (!src->path)
		return;
	if (src->fd >= 0)
		close(src->fd);
	if (src->dev_fd >= 0)
		close(src->dev_fd);
	free(src->path);
	free(src->real);
	memset(src, 0, sizeof(*src));
}

void source_say_users(const struct source *src)
{
	char *users = src->path && src->block ? users_find(src->dev) : NULL;

	if (users)
		cc_error("%s: in use: %s", src->path, users);
	free(users);
}

bool source_same(const struct source *a, const struct source *b)
{
	if (a->block != b->block)
		return false;
	if (a->block)
		return a->dev == b->dev;
	return a->file_dev == b->file_dev && a->file_ino == b->file_ino;
}

bool source_is(const struct source *src, const struct stat *st)
{
	if (src->block)
		return S_ISBLK(st->st_mode) && src->dev == st->st_rdev;
	return src->file_dev == st->st_dev && src->file_ino == st->st_ino;
}

/* Names by number: the kernel numbers device-mapper's devices in the order of their creation. */
static bool is_number(const char *path)
{
	return !strncmp(path, "/dev/dm-", 8) || !strncmp(path, "/dev/block/", 11);
}

char *source_lasting_name(const char *path)
{
	char *abs, *node;
	struct stat st;

	if (stat(path, &st))
		return NULL;
	if (!S_ISBLK(st.st_mode))
		return realpath(path, NULL);
	abs = path_absolute(path);
	node = is_number(abs) ? devno_node(st.st_rdev) : NULL;
	if (!node)
		return abs;
	free(abs);
	return node;
}
