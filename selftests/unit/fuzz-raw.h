/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libFuzzer target over the kernel's pure qcow2 code: what a header says, read without that code.
 */
#ifndef COWCHAIN_FUZZ_RAW_H
#define COWCHAIN_FUZZ_RAW_H

#include "fuzz-image.h"

/* Offsets are in the header cluster; 0 if there is no such thing. */
struct raw_header {
	u32 backing_offset;
	u32 backing_len;
	u32 format_offset;
	u32 format_len;
	struct q2_ident id;
};

/* Reads a header that q2_parse_header() accepts, from the specification of the format. */
void raw_read(const struct fuzz_image *img, struct raw_header *raw);

#endif
