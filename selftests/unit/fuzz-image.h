/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libFuzzer target over the kernel's pure qcow2 code: a header cluster.
 */
#ifndef COWCHAIN_FUZZ_IMAGE_H
#define COWCHAIN_FUZZ_IMAGE_H

#include "qcow2-ident.h"

#define check(cond) \
	((cond) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #cond))

void fuzz_fail(const char *file, int line, const char *cond) __attribute__((noreturn));

/*
 * Two header clusters: the one on disk, and the copy that an update changes. Each is allocated with
 * its exact size, so that AddressSanitizer finds accesses beyond it. Outside the ranges that were
 * touched, both are zeros.
 */
struct fuzz_image {
	u32 size;
	u8 *disk;
	u8 *copy;
	u64 dev_size;
	bool thorough;		/* compare everything, not just the ranges */
	u32 nr;
	struct {
		u32 offset;
		u32 len;
	} range[64];
};

/* All zeros, for this cluster size; there is one image for each. */
struct fuzz_image *image_get(u32 bits);
/* A range that may hold anything but zeros from now on. */
void image_touch(struct fuzz_image *img, u32 offset, u32 len);
/* Makes the copy what is on disk. */
void image_sync(struct fuzz_image *img);
/* Are the two equal? Without @thorough, only in those ranges. */
bool image_same(const struct fuzz_image *img);

#endif
