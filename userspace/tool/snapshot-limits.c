// SPDX-License-Identifier: GPL-2.0-only
/*
 * Can a device that is in use be put on a new top, as to its limits?
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "path.h"
#include "snapshot-limits.h"
#include "util.h"

/* An attribute of the queue of a block device; 0 if there is none. */
static unsigned long queue_number(dev_t dev, const char *name)
{
	char *path = xasprintf("/sys/dev/block/%u:%u/queue/%s", major(dev), minor(dev), name);
	FILE *f = fopen(path, "re");
	unsigned long number;

	free(path);
	if (!f)
		return 0;
	if (fscanf(f, "%lu", &number) != 1)
		number = 0;
	fclose(f);
	return number;
}

/* What makes a device with other limits of it. Caller frees. */
static char *lines(const struct snapshot *snap, const struct live *live, const struct layer *layer, const char *top)
{
	const char *name = shell_word(live->dev.name), *image = shell_word(snap->image), *data = layer->data.path;
	char *dir = data ? path_narrow_dir(data) : NULL, *text;

	text = xasprintf("cowchain create %s --backing %s --backing-format %s%s%s && cowchain detach %s && cowchain attach %s %s%s%s && cowchain stream %s --base none",
			 image, shell_word(top ? top : snap->backing_file),
			 kind_name(live->table.layers[live_top(live)].kind), data ? " --data-file " : "",
			 data ? shell_word(data) : "", name, name, image, dir ? " --allow-dir " : "",
			 dir ? shell_word(dir) : "", name);
	free(dir);
	return text;
}

int snapshot_check_limits(const struct snapshot *snap, const struct live *live, const struct layer *layer,
			  const char *top)
{
	const struct source *data = layer->data.path ? &layer->data : &layer->file;
	unsigned long block = queue_number(data->dev, "logical_block_size");
	unsigned long have = queue_number(live->dev.dev, "logical_block_size");
	bool larger = have && block > have;
	char *text;

	if (!larger && (!queue_number(data->dev, "stable_writes") || queue_number(live->dev.dev, "stable_writes")))
		return 0;
	text = lines(snap, live, layer, top);
	if (larger)
		cc_error("%s: has logical blocks of %lu bytes, but partition tables and others on %s count in blocks of %lu: take a file in a file system on it; or, if nothing counts in blocks, unmount what is on %s, then: %s",
			 data->path, block, live->dev.name, have, live->dev.name, text);
	else
		cc_error("%s: needs stable pages, which file systems ask for only when they are mounted: unmount what is on %s, then: %s",
			 data->path, live->dev.name, text);
	free(text);
	return -1;
}
