/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * chainstress: what qemu-img will be told about the layers, in the manifest.
 */
#ifndef COWCHAIN_STRESS_CLAIMS_H
#define COWCHAIN_STRESS_CLAIMS_H

#include "stress.h"

#define MAX_CLAIMS	1024

struct claims {
	struct {
		const char *file;	/* path of a layer */
		const char *model;	/* file in the same directory, which its chain reads like */
	} c[MAX_CLAIMS];
	unsigned int n;
};

/* The chain up to @file reads like @model, until a commit changes something below. */
void claim(struct claims *l, const char *file, const char *model);
/*
 * A commit of the layers up to @top into @base begins: what is based on the base reads otherwise from
 * now on, but for what is based on @top.
 */
void claims_begin_commit(struct claims *l, const char *base, const char *top);
/* It has ended: the base has what @top had. */
void claims_end_commit(struct claims *l, const char *base, const char *top);
/* Appends all of them to the manifest @path, the last one at its end. */
void claims_write(const struct claims *l, const char *path);

#endif
