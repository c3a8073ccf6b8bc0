// SPDX-License-Identifier: GPL-2.0-only
/*
 * Starts a commit: the devices of its base that can be written, and the message.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base.h"
#include "commit.h"
#include "devno.h"
#include "dm.h"
#include "hold.h"
#include "live-image.h"
#include "live-layer.h"
#include "loop.h"
#include "plan.h"
#include "record.h"
#include "util.h"
#include "writable.h"

static int send(const struct live *live, unsigned int base, unsigned int last, bool keep,
		const struct job_args *args, const struct writable *writable)
{
	bool active = last == live_top(live);
	/* No header names another layer when the base becomes the top. */
	char *name = active ? NULL : base_stored_name(live, (int)base, live_top(live));
	char last_text[16], base_text[16], speed[JOB_SPEED_LEN];
	const char *words[12 + JOB_MAX_WORDS + 1] = { "commit", "top", last_text, "base", base_text };
	unsigned int n = 5;
	int ret;

	if (!name && !active)
		return -1;
	snprintf(last_text, sizeof(last_text), "%u", last);
	snprintf(base_text, sizeof(base_text), "%u", base);
	n += writable_words(writable, words + n);
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

/* ---- a raw base that is too short ---- */

/* The disk of the last layer, in bytes; 0 if it cannot be read, and the target may say why. */
static uint64_t committed_size(const struct live *live, unsigned int last)
{
	uint64_t size = 0;
	struct layer layer;

	if (!live_read_layer(live, last, &layer)) {
		size = (layer.image.info.size + SECTOR_SIZE - 1) / SECTOR_SIZE * SECTOR_SIZE;
		layer_close(&layer);
	}
	return size;
}

/* How large a raw base has to be, if it is shorter; else 0. */
static uint64_t missing(const struct live *live, unsigned int base, unsigned int last)
{
	struct live_layer raw;
	uint64_t size;

	if (live->table.layers[base].kind != KIND_RAW || live_layer_open(&live->table, base, &raw))
		return 0;
	close(raw.fd);
	size = committed_size(live, last);
	return raw.size < size ? size : 0;
}

/* What is recorded of the base beside the image above it. */
struct base_record {
	int fd;		/* of that image; -1: nothing is recorded */
	char *text;
	struct record rec;
};

/* While the size of the base changes: after a crash between the two, the chain would not be attached. */
static void forget_size(const struct live *live, unsigned int base, struct base_record *above)
{
	char *path = NULL;
	dev_t dev;

	above->text = NULL;
	above->fd = -1;
	if (plan_wanted() || devno_parse(live->table.layers[base + 1].dev, &dev) || !loop_is(dev))
		return;
	above->fd = loop_open_file(dev, &path);
	free(path);
	if (above->fd >= 0)
		above->text = record_read(above->fd, &above->rec);
	if (above->text)
		record_forget(above->fd);
}

/* size: 0 if it has not changed. */
static void remember_size(struct base_record *above, uint64_t size)
{
	if (above->text) {
		above->rec.size = size ? size : above->rec.size;
		record_write(above->fd, &above->rec);
	}
	if (above->fd >= 0)
		close(above->fd);
	free(above->text);
}

/* With size, the base is enlarged: what is behind its end is zeros then, as the chain has read them. */
static int start(const struct live *live, unsigned int base, unsigned int last, bool keep, uint64_t size,
		 const struct job_args *args)
{
	struct writable writable;
	int ret = writable_open(&live->table.layers[base], size, &writable);

	if (!ret && hold_interrupted())
		ret = -1;
	if (!ret)
		ret = send(live, base, last, keep, args, &writable);
	if (ret)
		writable_undo(&writable);
	else if (writable.file >= 0)
		cc_note("layer %u, a raw disk, was enlarged to %" PRIu64 " bytes, the size of what is committed", base,
			size);
	writable_close(&writable);
	return ret;
}

int commit_start(const struct live *live, unsigned int base, unsigned int last, bool keep,
		 const struct job_args *args)
{
	uint64_t size = missing(live, base, last);
	struct base_record above;
	int ret;

	hold_begin();
	if (size)
		forget_size(live, base, &above);
	ret = start(live, base, last, keep, size, args);
	if (size)
		remember_size(&above, ret ? 0 : size);
	hold_end();
	return ret;
}
