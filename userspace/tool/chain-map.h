/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The map of a chain: which layer provides what.
 */
#ifndef COWCHAIN_CHAIN_MAP_H
#define COWCHAIN_CHAIN_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "map-layer.h"

/*
 * struct map_chain - open layers, the base first
 * @nr: layers that are mapped: the last of them is the one whose disk is shown.
 * @above: show only what this one does not provide; -1: all.
 * @size: bytes of the disk.
 */
struct map_chain {
	struct map_layer *layers;
	unsigned int nr;
	int above;
	uint64_t size;
};

/* The keys of qemu-img map; bytes. depth: how many layers below the last one. */
struct map_extent {
	uint64_t start;
	uint64_t length;
	uint64_t offset;
	unsigned int depth;
	bool present;		/* some layer has it, as data or zeros */
	bool zero;
	bool data;
	bool compressed;
	bool has_offset;
};

/* Returns 0 to go on. */
typedef int (*map_extent_fn)(const struct map_extent *extent, void *data);

/*
 * Call emit() for each extent, in order; neighbours that are alike are one. Returns 0, -1 after a message, or
 * what emit() returned. The memory does not grow with the disk.
 */
int map_chain_walk(struct map_chain *chain, map_extent_fn emit, void *data);
/* Make room for so many layers; all of the disk is shown. */
void map_chain_init(struct map_chain *chain, unsigned int nr);
void map_chain_close(struct map_chain *chain);

#endif
