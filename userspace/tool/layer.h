/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A layer: its file or block device, its data file, and its header.
 */
#ifndef COWCHAIN_LAYER_H
#define COWCHAIN_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "image.h"
#include "path.h"
#include "source.h"
#include "target.h"

struct layer {
	enum layer_kind kind;
	bool planned;		/* does not exist yet: see plan.h */
	bool named;		/* found by its name in the header above */
	struct source file;
	struct source data;	/* external data file; path NULL without one */
	struct image image;	/* of a qcow2 layer */
};

struct layer_options {
	struct allow_dirs allow;
	bool have_backing_format;	/* for headers that do not name it */
	enum layer_kind backing_format;
	bool read_only;			/* open even the top read-only */
	bool pad;			/* see SOURCE_PAD */
	bool can_pad;			/* the verb has an option for it */
	bool peek;			/* only read headers: never write */
	bool no_data;			/* leave external data files alone */
	bool no_lock;
	bool allow_sealed;		/* the features of the target with these names */
	bool ignore_identity;
	/* Commands for messages, if the verb knows them: */
	const char *overlay;		/* puts a new top on the one that cannot be written */
	const char *as_raw;		/* the same, or what was called for, if the top is a raw disk */
};

/*
 * Open a single layer: of the names in its header, only that of the data file is followed. Returns 0,
 * or -1 after a message: then the layer holds nothing.
 */
int layer_open(struct layer *layer, enum layer_kind kind, const char *path, bool writable,
	       const struct layer_options *opt);
/*
 * Open the backing file that the header of the layer above names, if that may be followed.
 * Returns as above.
 */
int layer_open_below(struct layer *layer, enum layer_kind kind, const struct layer *above,
		     const struct layer_options *opt);
/* The same with a data file that the user names, which may be anywhere. */
int layer_open_with_data(struct layer *layer, enum layer_kind kind, const char *path,
			 const char *data, bool writable, const struct layer_options *opt);
struct layer_name {
	const char *path;
	const char *real;	/* canonical, or NULL: whatever else path leads to is not even opened */
};
/* Open a top, and its data file unless data->path is NULL, for writing. Returns as above. */
int layer_open_top(struct layer *layer, const struct layer_name *image, const struct layer_name *data,
		   const struct layer_options *opt);
/* A top that is to be made, by names that are not looked up but for block devices; data may be NULL. */
void layer_plan(struct layer *layer, const char *image, const char *data, uint64_t size);
void layer_close(struct layer *layer);
/*
 * Can it be a writable top, by its header? If not, the message ends with the remedy: see
 * image_check_writable().
 */
int layer_check_writable(const struct layer *layer, const char *remedy);
/* See source_check_length(). */
int layer_check_length(struct layer *layer, const struct layer_options *opt);
/* The size of the disk in bytes, as this layer has it. */
uint64_t layer_size(const struct layer *layer);
/* The same in whole sectors: a raw file may end within one, which reads as zeros behind that. */
uint64_t layer_disk_size(const struct layer *layer);
/* Take the image locks only. Returns 0, or -1 after a message. */
int layer_lock(const struct layer *layer);
/* Take the image locks and get block devices. Returns 0, or -1 after a message. */
int layer_attach(struct layer *layer, bool no_lock);
/* Its two steps, for several layers: those locks that come before any devices, then the devices and other locks. */
int layer_lock_first(const struct layer *layer);
int layer_make_devices(struct layer *layer, bool no_lock);
/* See source_say_users(). */
void layer_say_users(const struct layer *layer);

#endif
