// SPDX-License-Identifier: GPL-2.0-only
/*
 * The block devices of layers, read beside the kernel.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devno.h"
#include "live-layer.h"
#include "util.h"

static int open_device(dev_t dev, uint64_t *size)
{
	char *node = devno_node(dev);
	struct stat st;
	int fd = -1;

	/* The kernel writes to the device without its page cache. */
	if (node)
		fd = open(node, O_RDONLY | O_DIRECT | O_CLOEXEC | O_NONBLOCK);
	free(node);
	if (fd < 0)
		return -1;
	if (!fstat(fd, &st) && S_ISBLK(st.st_mode) && st.st_rdev == dev &&
	    !ioctl(fd, BLKGETSIZE64, size))
		return fd;
	close(fd);
	return -1;
}

static int device_size(const char *text, uint64_t *size)
{
	dev_t dev;
	int fd = devno_parse(text, &dev) ? -1 : open_device(dev, size);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

int live_layer_open(const struct table *table, unsigned int number, struct live_layer *layer)
{
	const struct table_layer *t = &table->layers[number];
	struct tail data_tail;
	dev_t dev;

	layer->fd = devno_parse(t->dev, &dev) ? -1 : open_device(dev, &layer->size);
	if (layer->fd < 0)
		return -1;
	tail_find(table, number, false, &layer->tail);
	layer->data_size = layer->size + layer->tail.len;
	if (!t->data)
		return 0;
	tail_find(table, number, true, &data_tail);
	if (!device_size(t->data, &layer->data_size)) {
		layer->data_size += data_tail.len;
		return 0;
	}
	close(layer->fd);
	layer->fd = -1;
	return -1;
}

static int hold_device(const char *text, struct live_hold *held)
{
	uint64_t size;
	dev_t dev;
	int fd = devno_parse(text, &dev) ? -1 : open_device(dev, &size);

	if (fd >= 0)
		held->fds[held->nr++] = fd;
	return fd < 0 ? -1 : 0;
}

int live_hold(const struct table *table, unsigned int nr, struct live_hold *held)
{
	const struct table_layer *t;

	held->fds = xcalloc(2 * (size_t)nr, sizeof(*held->fds));
	held->nr = 0;
	for (t = table->layers; t < table->layers + nr; t++) {
		if (!hold_device(t->dev, held) && (!t->data || !hold_device(t->data, held)))
			continue;
		live_unhold(held);
		return -1;
	}
	return 0;
}

void live_unhold(struct live_hold *held)
{
	while (held->nr)
		close(held->fds[--held->nr]);
	free(held->fds);
	held->fds = NULL;
}
