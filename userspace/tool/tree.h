/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The layers of several chains as a tree: what they have in common is there once. The root is what nothing is below,
 * the leaves are the chains.
 */
#ifndef COWCHAIN_TREE_H
#define COWCHAIN_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "target.h"

#define TREE_NONE SIZE_MAX

/**
 * struct tree_layer - a layer with all that is below it.
 * @below: index of the one below, TREE_NONE for a base.
 * @file, @data_file: of an image, or its block device; NULL: unknown, or none.
 * @dev, @ino: the file; ino 0: the number of a block device.
 * @size: of its disk, in bytes; valid if has_size.
 * @on_disk: bytes that its files take up; valid if has_on_disk, which is not so for a block device.
 */
struct tree_layer {
	size_t below;
	enum layer_kind kind;
	char *file;
	char *data_file;
	dev_t dev;
	ino_t ino;
	uint64_t size;
	uint64_t on_disk;
	bool has_size;
	bool has_on_disk;
};

/**
 * struct tree_chain - a device.
 * @top: index of its top, TREE_NONE if it shows no chain.
 * @mode: as the verb list has it.
 */
struct tree_chain {
	char *name;
	size_t top;
	char *mode;
	uint64_t size;
	int open_count;
	struct target_job job;
};

/* Initialise with zeros. A layer comes behind the one below it. */
struct tree {
	struct tree_layer *layers;
	size_t nr_layers;
	struct tree_chain *chains;
	size_t nr_chains;
};

/* Find the same layer on top of the same ones, or take this one over. Returns its index. */
size_t tree_add_layer(struct tree *tree, struct tree_layer *layer);
/* Takes over what it has. */
void tree_add_chain(struct tree *tree, const struct tree_chain *chain);
bool tree_has_chain(const struct tree *tree, const char *name);
/* Does the chain read this layer? */
bool tree_reads(const struct tree *tree, const struct tree_chain *chain, size_t layer);
size_t tree_nr_readers(const struct tree *tree, size_t layer);
/* "stream 42.0% running"; NULL if there is no job. Caller frees. */
char *tree_job(const struct target_job *job);
void tree_free(struct tree *tree);

#endif
