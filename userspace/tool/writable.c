// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices by which the target can write to a layer below the top.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "devno.h"
#include "file.h"
#include "lock.h"
#include "loop.h"
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

static int make_loop(dev_t dev, struct writable_device *made)
{
	char *path = NULL;
	int fd = open_file(dev, &path);
	dev_t number = 0;

	if (fd >= 0 && !lock_file(fd, path))
		made->fd = loop_attach_beside(fd, path, dev, &number);
	if (made->fd >= 0)
		made->dev = devno_format(number);
	if (fd >= 0)
		close(fd);
	free(path);
	return made->fd < 0 ? -1 : 0;
}

/* dev: as in the table, or NULL. */
static int open_device(const char *dev, struct writable_device *made)
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
	return make_loop(number, made);
}

static void close_device(struct writable_device *made)
{
	if (made->fd >= 0)
		close(made->fd);
	free(made->dev);
}

int writable_open(const struct table_layer *layer, struct writable *w)
{
	int ret = open_device(layer->dev, &w->dev);

	w->data.fd = -1;
	w->data.dev = NULL;
	return ret ? ret : open_device(layer->data, &w->data);
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
}
