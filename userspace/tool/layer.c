// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens, checks and attaches a single layer.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "format.h"
#include "layer.h"
#include "loop.h"
#include "plan.h"
#include "util.h"

static bool open_writable(bool writable, const struct layer_options *opt)
{
	return writable && !opt->read_only && !opt->peek;
}

/* Open by a name: only what has the canonical name must_be; if that is NULL, whatever the user means by it. */
static int open_named(struct source *src, const char *path, const char *must_be, bool writable)
{
	char *real = must_be ? xstrdup(must_be) : realpath(path, NULL);
	int ret;

	if (!real) {
		cc_error("%s: %s", path, strerror(errno));
		return -1;
	}
	ret = source_open(src, path, real, writable);
	free(real);
	return ret;
}

/*
 * The format that was given holds, since a guest can write such a header onto its disk. But it may
 * be a mistake.
 */
static void note_format(const struct source *raw)
{
	const struct format *found = format_find(raw->fd, raw->size);
	char *remedy = found ? format_remedy(found, raw->path) : NULL;

	if (found)
		cc_note("%s: %s like %s but is used as a raw disk, header and all: if that is wrong, %s",
			raw->path, found->at_end ? "ends" : "begins", found->what, remedy);
	free(remedy);
}

/* as_raw: see struct layer_options. */
static int check_is_qcow2(const struct source *file, const char *as_raw)
{
	const struct format *found = format_find(file->fd, file->size);
	char *remedy;

	if (found && found->way == FORMAT_LAYER)
		return 0;
	if (found) {
		remedy = format_remedy(found, file->path);
		cc_error("%s: is %s, which cannot be a layer: %s", file->path, found->what, remedy);
		free(remedy);
	} else if (as_raw) {
		cc_error("%s: not a qcow2 image. If it is a raw disk%s: %s", file->path,
			 file->writable ? ", which is never written, put a new top on it" : "", as_raw);
	} else {
		cc_error("%s: not a qcow2 image: if it is a raw disk, give its format as raw", file->path);
	}
	return -1;
}

static int check_data_size(const struct layer *layer)
{
	/* One that is only read may end where the last data is: no cluster is behind that, or it gives EIO. */
	if (layer->data.size >= layer->image.info.size || !layer->data.writable)
		return 0;
	if (layer->data.block)
		cc_error("%s: the data device %s is shorter than the disk", layer->file.path,
			 layer->data.path);
	else
		cc_error("%s: the data file %s is shorter than the disk: enlarge it with 'truncate -s %" PRIu64 "'",
			 layer->file.path, layer->data.path, layer->image.info.size);
	return -1;
}

static char *layer_follow(const struct layer *layer, const char *name, const char *what,
			  const struct allow_dirs *allow, char **real)
{
	struct path_image image = { layer->file.path, layer->file.real, layer->file.block };

	return path_follow(&image, name, what, allow, real);
}

/*
 * A data file is written, so being in the same directory, as in a pool of several owners, is not
 * enough. Of a block device, the owner says nothing.
 */
static int check_data_owner(const struct layer *layer, const struct allow_dirs *allow)
{
	const struct source *data = &layer->data;
	struct stat image, st;
	char *dir;

	if (data->block || path_given(data->real, allow) || fstat(layer->file.fd, &image) ||
	    fstat(data->fd, &st) || image.st_uid == st.st_uid)
		return 0;
	dir = path_narrow_dir(data->real);
	cc_error("%s: its data file %s belongs to another user and is not followed: if you trust the image, %s%s",
		 layer->file.path, data->path, dir ? "give --allow-dir " : "list the layers with 'cowchain attach --layer'",
		 dir ? shell_word(dir) : "");
	free(dir);
	return -1;
}

/* Open the external data file that the header names. */
static int open_data(struct layer *layer, bool writable, const struct layer_options *opt)
{
	char *path, *real;
	int ret;

	if (!layer->image.info.data_file || opt->no_data)
		return 0;
	if (!layer->image.data_name) {
		cc_error("%s: the header does not name its data file: 'cowchain attach' takes one as --layer qcow2:FILE,data=FILE",
			 layer->file.path);
		return -1;
	}
	path = layer_follow(layer, layer->image.data_name, PATH_DATA, &opt->allow, &real);
	if (!path)
		return -1;
	ret = source_open(&layer->data, path, real, open_writable(writable, opt));
	if (!ret)
		ret = check_data_owner(layer, &opt->allow);
	free(real);
	free(path);
	return ret ? ret : check_data_size(layer);
}

/* real: NULL, or the canonical path that was allowed. */
static int open_file(struct layer *layer, enum layer_kind kind, const char *path, const char *real,
		     bool writable, const struct layer_options *opt)
{
	bool write = open_writable(writable, opt);
	char *abs = path_absolute(path);
	int ret;

	memset(layer, 0, sizeof(*layer));
	layer->kind = kind;
	ret = open_named(&layer->file, abs, real, write);
	free(abs);
	if (ret)
		return ret;
	if (kind == KIND_RAW) {
		note_format(&layer->file);
		return 0;
	}
	if (check_is_qcow2(&layer->file, writable ? opt->as_raw : NULL))
		return -1;
	return image_read(layer->file.fd, layer->file.path, layer->file.size, &layer->image);
}

static int open_layer(struct layer *layer, enum layer_kind kind, const char *path, const char *real,
		      bool writable, const struct layer_options *opt)
{
	int ret = open_file(layer, kind, path, real, writable, opt);

	if (!ret)
		ret = open_data(layer, writable, opt);
	if (ret)
		layer_close(layer);
	return ret;
}

int layer_open(struct layer *layer, enum layer_kind kind, const char *path, bool writable,
	       const struct layer_options *opt)
{
	return open_layer(layer, kind, path, NULL, writable, opt);
}

int layer_open_below(struct layer *layer, enum layer_kind kind, const struct layer *above,
		     const struct layer_options *opt)
{
	char *real, *path = layer_follow(above, above->image.backing_name, PATH_BACKING,
					 &opt->allow, &real);
	int ret = path ? open_layer(layer, kind, path, real, false, opt) : -1;

	layer->named = !ret;
	free(real);
	free(path);
	return ret;
}

/* The user names the data file, so the rules for names from headers do not apply. */
static int open_given_data(struct layer *layer, const struct layer_name *data, bool writable,
			   const struct layer_options *opt)
{
	if (open_named(&layer->data, data->path, data->real, open_writable(writable, opt)))
		return -1;
	if (layer->image.info.data_file)
		return check_data_size(layer);
	cc_error("%s: has no external data file, so it cannot have %s as one", layer->file.path, data->path);
	return -1;
}

static int open_with_data(struct layer *layer, enum layer_kind kind, const struct layer_name *image,
			  const struct layer_name *data, bool writable, const struct layer_options *opt)
{
	int ret = open_file(layer, kind, image->path, image->real, writable, opt);

	if (!ret)
		ret = open_given_data(layer, data, writable, opt);
	if (ret)
		layer_close(layer);
	return ret;
}

int layer_open_with_data(struct layer *layer, enum layer_kind kind, const char *path,
			 const char *data, bool writable, const struct layer_options *opt)
{
	struct layer_name image_name = { path, NULL }, data_name = { data, NULL };

	return open_with_data(layer, kind, &image_name, &data_name, writable, opt);
}

int layer_open_top(struct layer *layer, const struct layer_name *image, const struct layer_name *data,
		   const struct layer_options *opt)
{
	return data->path ? open_with_data(layer, KIND_QCOW2, image, data, true, opt) :
			    open_layer(layer, KIND_QCOW2, image->path, image->real, true, opt);
}

void layer_close(struct layer *layer)
{
	source_close(&layer->file);
	source_close(&layer->data);
	image_free(&layer->image);
}

int layer_check_writable(const struct layer *layer, const char *remedy)
{
	if (layer->planned)
		return 0;
	if (layer->kind == KIND_QCOW2)
		return image_check_writable(layer->file.fd, layer->file.path, layer->file.size,
					    &layer->image, remedy) ||
		       source_check_writable(&layer->file, remedy) ||
		       (layer->data.path && source_check_writable(&layer->data, remedy)) ? -1 : 0;
	cc_error("%s: a raw image cannot be the writable top, so it is never written: %s", layer->file.path,
		 remedy);
	return -1;
}

int layer_check_length(struct layer *layer, const struct layer_options *opt)
{
	if (layer->planned)
		return 0;
	unsigned int flags = (opt->pad ? SOURCE_PAD : 0) | (opt->can_pad ? SOURCE_CAN_PAD : 0);

	return source_check_length(&layer->file, flags) ||
	       (layer->data.path && source_check_length(&layer->data, flags)) ? -1 : 0;
}

uint64_t layer_size(const struct layer *layer)
{
	return layer->kind == KIND_RAW ? layer->file.size : layer->image.info.size;
}

uint64_t layer_disk_size(const struct layer *layer)
{
	return (layer_size(layer) + SECTOR_SIZE - 1) / SECTOR_SIZE * SECTOR_SIZE;
}

int layer_lock(const struct layer *layer)
{
	if (source_lock(&layer->file))
		return -1;
	return layer->data.path ? source_lock(&layer->data) : 0;
}

/*
 * A writable file is attached first: if it has a loop device already, the message names it, which says more than a
 * refused lock. It is locked first if it is to be padded, since nobody else may be using it then. One that is only read is
 * locked before anybody looks for a loop device of it: see loop-index.h.
 */
static bool lock_comes_first(const struct source *src)
{
	return src->block || !src->writable || src->pad;
}

int layer_lock_first(const struct layer *layer)
{
	if (layer->planned)
		return 0;
	if (lock_comes_first(&layer->file) && source_lock(&layer->file))
		return -1;
	return layer->data.path && lock_comes_first(&layer->data) ? source_lock(&layer->data) : 0;
}

static int attach_source(struct source *src, bool no_lock)
{
	if (source_attach(src))
		return -1;
	if (!no_lock && !lock_comes_first(src) && source_lock(src))
		return -1;
	source_settle(src);
	return 0;
}

static void plan_source(struct source *src)
{
	if (src->path && !src->block)
		src->dev = plan_loop(src->path, true, loop_new_file_is_direct(src->path));
}

void layer_plan(struct layer *layer, const char *image, const char *data, uint64_t size)
{
	memset(layer, 0, sizeof(*layer));
	layer->planned = true;
	layer->kind = KIND_QCOW2;
	layer->image.info.size = size;
	source_plan(&layer->file, image);
	if (data)
		source_plan(&layer->data, data);
}

int layer_make_devices(struct layer *layer, bool no_lock)
{
	if (layer->planned) {
		plan_source(&layer->file);
		plan_source(&layer->data);
		return 0;
	}
	if (attach_source(&layer->file, no_lock))
		return -1;
	if (layer->data.path)
		return attach_source(&layer->data, no_lock);
	return 0;
}

int layer_attach(struct layer *layer, bool no_lock)
{
	if (!no_lock && layer_lock_first(layer))
		return -1;
	return layer_make_devices(layer, no_lock);
}

void layer_say_users(const struct layer *layer)
{
	source_say_users(&layer->file);
	source_say_users(&layer->data);
}
