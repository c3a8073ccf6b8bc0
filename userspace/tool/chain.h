/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A chain of images that is to become a device: found from its top through the names of backing
 * files, or listed by the user; then locked, attached and described by a table.
 */
#ifndef COWCHAIN_CHAIN_H
#define COWCHAIN_CHAIN_H

#include <stdbool.h>

#include "layer.h"
#include "target.h"

struct chain {
	struct layer *layers;	/* base first once complete */
	unsigned int nr;
};

/*
 * Find the layers from the top downwards. The format of a backing file comes from the header or the
 * options and is never guessed: a guest can write a qcow2 header onto its raw disk.
 *
 * Return: 0, or -1 after a message; with peek, chain then holds the layers that were found.
 */
int chain_follow(struct chain *chain, const char *top, enum layer_kind kind,
		 const struct layer_options *opt);

/*
 * Split "KIND:FILE[,data=FILE]" in place; *data is NULL without one. Names may contain commas and colons:
 * only the first colon and the first ",data=" separate. Returns 0, or -1 if it is malformed. Pure.
 */
int chain_split_spec(char *spec, enum layer_kind *kind, char **file, char **data);

/*
 * Add "KIND:FILE[,data=FILE]" as the new top. Return: 0, -1 after a message, or CC_USAGE if spec is
 * malformed.
 */
int chain_add_spec(struct chain *chain, const char *spec, bool is_top,
		   const struct layer_options *opt);

/* Add an open layer, which is taken over, as the new top. Returns 0, or -1 after a message. */
int chain_push(struct chain *chain, const struct layer *layer);

static inline struct layer *chain_top(const struct chain *chain)
{
	return &chain->layers[chain->nr - 1];
}

/*
 * Find a layer by number, file or block device. Returns its number, or -1 after a message that lists the layers.
 */
int chain_find(const struct chain *chain, const char *arg);

/* Check what can be checked without the kernel. Returns 0, or -1 after a message. */
int chain_check(const struct chain *chain, const struct layer_options *opt);
int chain_attach(struct chain *chain, const struct layer_options *opt);
void chain_close(struct chain *chain);
/* Fill in the layers of a table, and add their tails to its features. */
void chain_to_table(const struct chain *chain, struct table *table);

#endif
