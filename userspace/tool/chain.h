/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A chain of images that is to become a device: found from its top through the names of backing
 * files, or listed by the user; then locked, attached and described by a table.
 */
#ifndef COWCHAIN_CHAIN_H
#define COWCHAIN_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "image.h"
#include "path.h"
#include "source.h"
#include "target.h"

struct layer {
	enum layer_kind kind;
	struct source file;
	struct source data;	/* external data file; path NULL without one */
	struct image image;	/* of a qcow2 layer */
};

struct chain {
	struct layer *layers;	/* base first once complete */
	unsigned int nr;
};

struct chain_options {
	struct allow_dirs allow;
	bool have_backing_format;	/* for headers that do not name it */
	enum layer_kind backing_format;
	bool read_only;			/* the top as well */
	bool pad;			/* see SOURCE_PAD */
	bool can_pad;			/* the verb has an option for it */
	bool peek;			/* only read headers: never write, accept any length */
	bool no_data;			/* leave external data files alone */
	bool no_lock;
	bool allow_sealed;		/* the features of the target with these names */
	bool ignore_identity;
};

/*
 * Find the layers from the top downwards. The format of a backing file comes from the header or the
 * options and is never guessed: a guest can write a qcow2 header onto its raw disk.
 *
 * Return: 0, or -1 after a message; with peek, chain then holds the layers that were found.
 */
int chain_follow(struct chain *chain, const char *top, enum layer_kind kind,
		 const struct chain_options *opt);

/*
 * Add "KIND:FILE[,data=FILE]" as the new top. Return: 0, -1 after a message, or CC_USAGE if spec is
 * malformed.
 */
int chain_add_spec(struct chain *chain, const char *spec, bool is_top,
		   const struct chain_options *opt);

/* Open a single layer: of the names in its header, only that of the data file is followed. */
int layer_open(struct layer *layer, enum layer_kind kind, const char *path, bool writable,
	       const struct chain_options *opt);
void layer_close(struct layer *layer);
/* Can it be a writable top, by its header? See image_check_writable(). */
int layer_check_writable(const struct layer *layer);
/* The size of the disk in bytes, as this layer has it. */
uint64_t layer_size(const struct layer *layer);
/* Take the image locks and get block devices. Returns 0, or -1 after a message. */
int layer_attach(struct layer *layer, bool no_lock);

static inline struct layer *chain_top(const struct chain *chain)
{
	return &chain->layers[chain->nr - 1];
}

/* Check what can be checked without the kernel. Returns 0, or -1 after a message. */
int chain_check(const struct chain *chain, const struct chain_options *opt);
int chain_attach(struct chain *chain, const struct chain_options *opt);
void chain_close(struct chain *chain);
/* Fill in the layers of a table; its features are left alone. */
void chain_to_table(const struct chain *chain, struct table *table);

#endif
