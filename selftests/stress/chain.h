/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * chainstress: the chain as the table of the target describes it.
 */
#ifndef COWCHAIN_STRESS_CHAIN_H
#define COWCHAIN_STRESS_CHAIN_H

#include "stress.h"

#define MAX_LAYERS	256
#define CHAIN_TABLE_LEN	16384

struct layer {
	char kind[16];
	char dev[32];		/* MAJ:MIN */
	char data[32];		/* MAJ:MIN or "-" */
	char file[256];		/* below the loop device */
};

struct chain {
	uint64_t sectors;
	unsigned int n;
	struct layer l[MAX_LAYERS];
};

/* Reads the table of the mapped device; on an error the run has failed. */
bool chain_read(struct stress *s, struct chain *c);
/* The parameters of a table for the lowest @n layers; dies if @len is too small. */
void chain_print(const struct chain *c, unsigned int n, char *params, size_t len);
/* The file below the loop device @dev ("MAJ:MIN"), "" if there is none. */
void chain_loop_file(const char *dev, char *file, size_t len);
/* The last component of a path, in place. */
const char *chain_leaf(const char *file);

#endif
