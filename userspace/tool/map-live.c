// SPDX-License-Identifier: GPL-2.0-only
/*
 * The layers of an active chain, as they are on disk.
 *
 * Layers below the top do not change. The top does: what it has in memory gets onto its device by a sync, so the
 * device is flushed first, and then every bit that was set before is on disk. What the kernel writes later may be
 * seen or not.
 *
 * The kernel reads and writes the devices of layers below their page cache, in which there may be anything, from
 * before. So they are read with O_DIRECT. Where that is a loop device, both are requests to its driver, which serves
 * them from the one file. Files themselves are used for their holes only, and those of a raw layer. A hole under
 * data is one at the time of the answer: the kernel stores data before its bit.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devno.h"
#include "image.h"
#include "live-layer.h"
#include "loop.h"
#include "map-live.h"
#include "util.h"

enum { FD_DEVICE, FD_FILE };

/* A device that is suspended has committed what it had, and a flush would wait for its resume. */
static bool needs_flush(const struct live *live, unsigned int nr)
{
	return nr == live->table.nr_layers && !live->dev.read_only && !live->dev.suspended;
}

static int flush_node(const struct live *live, const char *node)
{
	int fd = open(node, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int ret = -1;

	if (fd < 0 || fstat(fd, &st))
		cc_error("%s: %s", node, strerror(errno));
	else if (!S_ISBLK(st.st_mode) || st.st_rdev != live->dev.dev)
		cc_error("%s: is not the node of %s: 'dmsetup mknodes' makes it", node, live->dev.name);
	else if (fsync(fd))
		cc_error("%s: cannot flush it: %s: its users may have lost what they did not flush; see 'cowchain status %s' and the kernel log",
			 live->dev.name, strerror(errno), shell_word(live->dev.name));
	else
		ret = 0;
	if (fd >= 0)
		close(fd);
	return ret;
}

/*
 * One that has become read-only is not flushed: that fails, and after a reload, the next flush by its users would not
 * fail any more, which is how they learn of a loss.
 */
static int flush_top(const struct live *live)
{
	struct target_status status;
	char *node;
	int ret;

	if (dm_status(live->dev.name, &status))
		return -1;
	if (strcmp(status.mode, "rw")) {
		cc_note("%s: is read-only because of an error: what it could not write is not in the map",
			live->dev.name);
		return 0;
	}
	node = devno_node(live->dev.dev);
	ret = node ? flush_node(live, node) : -1;
	if (!node)
		cc_error("%s: the device is gone", live->dev.name);
	free(node);
	return ret;
}

static int open_file(const char *dev)
{
	char *path = NULL;
	dev_t number;
	int fd = devno_parse(dev, &number) ? -1 : loop_open_file(number, &path);

	free(path);
	return fd;
}

/* As QEMU does, which knows of none on a block device. */
static uint64_t allocated_space(const struct table_layer *t, int data_file)
{
	int fd = t->data ? open_file(t->dev) : data_file;
	struct stat st;
	uint64_t bytes = fd < 0 || fstat(fd, &st) ? 0 : (uint64_t)st.st_blocks * 512;

	if (t->data && fd >= 0)
		close(fd);
	return bytes;
}

static int read_header(struct map_layer *map, const struct table_layer *t)
{
	struct image image;

	if (image_read(map->image.file.fd, map->name, readable_size(&map->image.file), &image))
		return -1;
	map->image.info = image.info;
	map->size = image.info.size;
	image_free(&image);
	map->look = l2_is_preallocated(&map->image, allocated_space(t, map->holes.fd));
	return 0;
}

static int open_layer(struct map_layer *map, const struct live *live, unsigned int number)
{
	const struct table_layer *t = &live->table.layers[number];
	char *file = live_file(live, number);
	struct live_layer layer;
	struct stat st;

	map->kind = t->kind;
	map->name = xasprintf("%s: layer %u, %s", live->dev.name, number, file ? file : t->dev);
	free(file);
	if (live_layer_open(&live->table, number, &layer)) {
		cc_error("%s: its device %s cannot be opened", map->name, t->dev);
		return -1;
	}
	map->fds[FD_DEVICE] = layer.fd;
	map->image.file = (struct readable){
		.fd = layer.fd, .path = map->name, .size = layer.size, .tail = layer.tail,
	};
	map->data_size = layer.data_size;
	map->fds[FD_FILE] = open_file(t->data ? t->data : t->dev);
	map->holes = (struct holes){ .fd = map->fds[FD_FILE], .size = map->data_size };
	if (map->holes.fd >= 0 && !fstat(map->holes.fd, &st))
		map->holes.size = (uint64_t)st.st_size;
	map->size = (map->data_size + SECTOR_SIZE - 1) / SECTOR_SIZE * SECTOR_SIZE;
	return map->kind == KIND_QCOW2 ? read_header(map, t) : 0;
}

int map_open_live(struct map_chain *map, const struct live *live, unsigned int nr)
{
	bool writable = nr == live->table.nr_layers && !live->dev.read_only;
	struct map_layer *layer;

	map_chain_init(map, nr);
	if (needs_flush(live, nr) && flush_top(live))
		return -1;
	for (; map->nr < nr; map->nr++) {
		layer = &map->layers[map->nr];
		map_layer_init(layer);
		if (open_layer(layer, live, map->nr)) {
			map_layer_close(layer);
			return -1;
		}
	}
	map->layers[nr - 1].written = writable;
	map->size = map->layers[nr - 1].size;
	/* The table may show less than the image has. */
	if (nr == live->table.nr_layers && live->dev.sectors * SECTOR_SIZE < map->size)
		map->size = live->dev.sectors * SECTOR_SIZE;
	/* The devices stay as long as they are open. But before, others may have taken their numbers. */
	return live_check_layers(live, nr);
}
