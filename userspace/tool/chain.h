/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A chain of images that is to become a device: found from its top through the backing names, or
 * listed by the user; then locked, attached and described as a table.
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
	bool have_backing_format;	/* for headers that do not name the format */
	enum layer_kind backing_format;
	bool read_only;			/* the top as well */
	bool pad;			/* see SOURCE_PAD */
	bool can_pad;			/* there is an option for it */
	bool peek;			/* only to show: open nothing for writing, any length */
	bool no_data;			/* leave external data files alone */
	bool no_lock;
	bool allow_sealed;		/* see the target's features of these names */
	bool ignore_identity;
};

/*
 * From the top down. The format of a backing file comes from the header or the options and is never
 * guessed: a guest can write a qcow2 header onto its raw disk. Returns 0 or -1 (said why); with peek,
 * chain then holds the layers that were found.
 */
int chain_follow(struct chain *chain, const char *top, enum layer_kind kind,
		 const struct chain_options *opt);

/* Adds "KIND:FILE[,data=FILE]" as the new top. Returns 0, -1 (said why), or CC_USAGE for bad words. */
int chain_add_spec(struct chain *chain, const char *spec, bool is_top,
		   const struct chain_options *opt);

/* One layer alone, names in its header are not followed but for its data file. */
int layer_open(struct layer *layer, enum layer_kind kind, const char *path, bool writable,
	       const struct chain_options *opt);
void layer_close(struct layer *layer);
/* Header-level test of a top; see image_check_writable(). */
int layer_check_writable(const struct layer *layer);
/* What the layer says its size is: bytes. */
uint64_t layer_size(const struct layer *layer);
/* Image locks, then block devices. Returns 0 or -1 (said why). */
int layer_attach(struct layer *layer, bool no_lock);

static inline struct layer *chain_top(const struct chain *chain)
{
	return &chain->layers[chain->nr - 1];
}

/* Everything that can be refused without the kernel. Returns 0 or -1 (said why). */
int chain_check(const struct chain *chain, const struct chain_options *opt);
int chain_attach(struct chain *chain, const struct chain_options *opt);
void chain_close(struct chain *chain);
/* Fills in the layers of a table; features are left alone. */
void chain_to_table(const struct chain *chain, struct table *table);

#endif
