// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target over the kernel's pure qcow2 code: a header cluster, on disk and as a copy.
 */
#include "fuzz-image.h"

void fuzz_fail(const char *file, int line, const char *cond)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, cond);
	abort();
}

void image_touch(struct fuzz_image *img, u32 offset, u32 len)
{
	check(offset <= img->size && len <= img->size - offset);
	check(img->nr < sizeof(img->range) / sizeof(img->range[0]));
	img->range[img->nr].offset = offset;
	img->range[img->nr++].len = len;
}

void image_sync(struct fuzz_image *img)
{
	u32 i;

	for (i = 0; i < img->nr; i++)
		memcpy(img->copy + img->range[i].offset, img->disk + img->range[i].offset,
		       img->range[i].len);
}

bool image_same(const struct fuzz_image *img)
{
	u32 i;

	if (img->thorough || img->size <= 16384)
		return !memcmp(img->disk, img->copy, img->size);
	for (i = 0; i < img->nr; i++)
		if (memcmp(img->copy + img->range[i].offset, img->disk + img->range[i].offset,
			   img->range[i].len))
			return false;
	return true;
}

/* The images are kept: clearing 2 MiB takes long. */ struct fuzz_image *image_get(u32 bits)
{
	static struct fuzz_image images[QCOW2_MAX_CLUSTER_BITS + 1];
	struct fuzz_image *img = &images[bits];
	u32 i;

	if (!img->disk) {
		img->size = 1U << bits;
		img->disk = calloc(1, img->size);
		img->copy = calloc(1, img->size);
		check(img->disk && img->copy);
	}
	for (i = 0; i < img->nr; i++) {
		memset(img->disk + img->range[i].offset, 0, img->range[i].len);
		memset(img->copy + img->range[i].offset, 0, img->range[i].len);
	}
	img->nr = 0;
	return img;
}
