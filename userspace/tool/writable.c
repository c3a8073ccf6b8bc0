// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices by which the target can write to a layer below the top.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "devno.h"
#include "file.h"
#include "lock.h"
#include "loop.h"
#include "plan.h"
#include "util.h"
#include "writable.h"

/* The file of a loop device that is only read. Returns a descriptor, or -1 after a message. */
static int open_file(dev_t dev, char **path)
{
	int found = loop_open_file(dev, path), fd;

	if (found < 0) {
		cc_error("%u:%u: the file of this loop device cannot be found, so it cannot be written", major(dev),
			 minor(dev));
		return -1;
	}
	fd = file_reopen(found, O_RDWR | O_NONBLOCK);
	if (fd < 0)
		cc_error("%s: cannot be written: %s", *path, strerror(errno));
	close(found);
	return fd;
}

/*
 * What relies on its contents has to be stopped before. The lock of the chain itself is one of those that tell
 * others so, which is why only a reader's check can be made.
 */
static int lock_file(int fd, const char *path)
{
	const char *why;

	if (image_lock(fd, false, &why) != -EBUSY)
		return 0;
	cc_error("%s: %s", path, why);
	return -1;
}

/*
 * What ends in the middle of a sector stays as it is, and the target says what to do. The new size has to be on disk
 * before the job is recorded, which could not go on otherwise. The device that the chain has shows all of its file, too:
 * others would not take it for that of the file.
 */
static int enlarge(int fd, const char *path, dev_t dev, uint64_t bytes, struct writable *w)
{
	struct stat st;
	char size[24];
	int kept;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (uint64_t)st.st_size >= bytes || st.st_size % SECTOR_SIZE)
		return 0;
	if (plan_wanted()) {
		snprintf(size, sizeof(size), "%" PRIu64, bytes);
		plan_line("truncate", "-s", size, path, (char *)NULL);
		return 0;
	}
	kept = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	w->file = kept;
	w->was = (uint64_t)st.st_size;
	w->shown = dev;
	if (kept < 0 || ftruncate(fd, (off_t)bytes) || fsync(fd) || loop_take_size(dev)) {
		cc_error("%s: cannot be enlarged to %" PRIu64 " bytes: %s", path, bytes, strerror(errno));
		return -1;
	}
	return 0;
}

static int make_loop(dev_t dev, uint64_t bytes, struct writable *w, struct writable_device *made)
{
	char *path = NULL;
	int fd = open_file(dev, &path);
	dev_t number = 0;

	if (fd >= 0 && !lock_file(fd, path) && !enlarge(fd, path, dev, bytes, w))
		made->fd = loop_attach_beside(fd, path, dev, &number);
	if (made->fd >= 0)
		made->dev = devno_format(number);
	if (fd >= 0)
		close(fd);
	free(path);
	return made->fd < 0 ? -1 : 0;
}

/* dev: as in the table, or NULL. */
static int open_device(const char *dev, uint64_t bytes, struct writable *w, struct writable_device *made)
{
	dev_t number;

	made->fd = -1;
	made->dev = NULL;
	if (!dev)
		return 0;
	if (devno_parse(dev, &number) || !loop_is(number) || loop_is_writable(number)) {
		made->dev = xstrdup(dev);
		return 0;
	}
	return make_loop(number, bytes, w, made);
}

static void close_device(struct writable_device *made)
{
	if (made->fd >= 0)
		close(made->fd);
	free(made->dev);
}

int writable_open(const struct table_layer *layer, uint64_t bytes, struct writable *w)
{
	int ret;

	w->file = -1;
	w->data.fd = -1;
	w->data.dev = NULL;
	ret = open_device(layer->dev, layer->kind == KIND_RAW ? bytes : 0, w, &w->dev);
	return ret ? ret : open_device(layer->data, 0, w, &w->data);
}

void writable_undo(const struct writable *w)
{
	if (w->file >= 0 && (ftruncate(w->file, (off_t)w->was) || loop_take_size(w->shown)))
		cc_debug("cannot be made as short as it was: %m");
}

unsigned int writable_words(const struct writable *w, const char **words)
{
	if (w->dev.fd < 0 && w->data.fd < 0)
		return 0;
	words[0] = "device";
	words[1] = w->dev.dev;
	words[2] = w->data.dev ? w->data.dev : "-";
	return 3;
}

void writable_close(struct writable *w)
{
	close_device(&w->data);
	close_device(&w->dev);
	if (w->file >= 0)
		close(w->file);
}
