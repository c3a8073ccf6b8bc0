// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes NEW of a snapshot or copy.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devno.h"
#include "file.h"
#include "format.h"
#include "snapshot-make.h"
#include "util.h"

bool snapshot_has_image(const struct snapshot *snap)
{
	const struct format *format = NULL;
	struct stat st;
	int found, fd;
	bool has;

	if (lstat(snap->image, &st))
		return false;
	found = file_find(AT_FDCWD, snap->image, &st);
	/* A link to nothing: what opens it says so. */
	if (found < 0)
		return true;
	has = !S_ISBLK(st.st_mode);
	if (!has && !snap->overwrite) {
		fd = file_reopen(found, O_RDONLY | O_NONBLOCK | O_DIRECT);
		if (fd >= 0) {
			format = format_find(fd, 0);
			close(fd);
		}
		has = format && format->way == FORMAT_LAYER;
	}
	close(found);
	return has;
}

static void add_device(struct create_request *req, const char *text)
{
	char *file;
	dev_t dev;

	file = text && !devno_parse(text, &dev) ? devno_file(dev) : NULL;
	if (!file)
		return;
	req->below = xrealloc(req->below, req->nr_below + 1, sizeof(*req->below));
	req->below[req->nr_below++] = file;
}

/* What the chain has is not to be overwritten, also where a block device is another way to it. */
static void add_layers(struct create_request *req, const struct live *live)
{
	unsigned int i;

	for (i = 0; i < live->table.nr_layers; i++) {
		add_device(req, live->table.layers[i].dev);
		add_device(req, live->table.layers[i].data);
	}
}

int snapshot_make(const struct snapshot *snap, const struct live *live, const char *top, struct created *made)
{
	struct create_request req = {
		.path = snap->image,
		.data_file = snap->data_file,
		.backing = top,
		.backing_name = snap->backing_file,
		.backing_kind = live->table.layers[live_top(live)].kind,
		.backing_size = live->dev.sectors * SECTOR_SIZE,
		.size = live->dev.sectors * SECTOR_SIZE,
		.cluster_size = snap->cluster_size,
		.reserve = snap->reserve,
		.overwrite = snap->overwrite,
		.can_overwrite = true,
		.devices_only = true,
	};
	int ret;

	add_layers(&req, live);
	ret = create_image(&req, made);
	while (req.nr_below)
		free(req.below[--req.nr_below]);
	free(req.below);
	return ret;
}
