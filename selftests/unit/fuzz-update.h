/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libFuzzer target over the kernel's pure qcow2 code: changes of the header.
 */
#ifndef COWCHAIN_FUZZ_UPDATE_H
#define COWCHAIN_FUZZ_UPDATE_H

#include "fuzz-image.h"
#include "fuzz-input.h"

/* Changes the header as the kernel does, with a crash after each step. @bytes: contents to use. */
void fuzz_updates(struct fuzz_image *img, const struct fuzz_input *in, const u8 *bytes);

#endif
