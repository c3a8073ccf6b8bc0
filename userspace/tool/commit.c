// SPDX-License-Identifier: GPL-2.0-only
/*
 * Starts a commit: the devices of its base that can be written, and the message.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base.h"
#include "commit.h"
#include "devno.h"
#include "dm.h"
#include "file.h"
#include "hold.h"
#include "lock.h"
#include "loop.h"
#include "util.h"

/* A device of the base as the target is to use it. */
struct base_device {
	int fd;		/* of a loop device that was made, which vanishes with its last user; -1 */
	char *dev;	/* MAJ:MIN, NULL if there is none */
};

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

static int make_loop(dev_t dev, struct base_device *made)
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
static int open_device(const char *dev, struct base_device *made)
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

static void close_device(struct base_device *made)
{
	if (made->fd >= 0)
		close(made->fd);
	free(made->dev);
}

static int send(const struct live *live, unsigned int base, unsigned int last, bool keep,
		const struct job_args *args, const struct base_device *dev, const struct base_device *data)
{
	bool active = last == live_top(live);
	/* No header names another layer when the base becomes the top. */
	char *name = active ? NULL : base_stored_name(live, (int)base);
	char last_text[16], base_text[16], speed[JOB_SPEED_LEN];
	const char *words[12 + JOB_MAX_WORDS + 1] = { "commit", "top", last_text, "base", base_text };
	unsigned int n = 5;
	int ret;

	if (!name && !active)
		return -1;
	snprintf(last_text, sizeof(last_text), "%u", last);
	snprintf(base_text, sizeof(base_text), "%u", base);
	if (dev->fd >= 0 || data->fd >= 0) {
		words[n++] = "device";
		words[n++] = dev->dev;
		words[n++] = data->dev ? data->dev : "-";
	}
	n += job_add_words(args, words + n, speed);
	if (keep)
		words[n++] = "keep";
	if (!active) {
		words[n++] = "backing-file";
		words[n++] = name;
		words[n++] = kind_name(live->table.layers[base].kind);
	}
	ret = dm_message(live->dev.name, words);
	free(name);
	return ret ? -1 : 0;
}

int commit_start(const struct live *live, unsigned int base, unsigned int last, bool keep,
		 const struct job_args *args)
{
	const struct table_layer *layer = &live->table.layers[base];
	struct base_device dev, data = { .fd = -1 };
	int ret;

	hold_begin();
	ret = open_device(layer->dev, &dev);
	if (!ret)
		ret = open_device(layer->data, &data);
	if (!ret && hold_interrupted())
		ret = -1;
	if (!ret)
		ret = send(live, base, last, keep, args, &dev, &data);
	close_device(&data);
	close_device(&dev);
	hold_end();
	return ret;
}
