/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mutantwalk: the devices that the layers lie on.
 */
#ifndef COWCHAIN_MUTANTS_SLICES_H
#define COWCHAIN_MUTANTS_SLICES_H

#include "mutants.h"

/* Makes a device for each layer in the directory of the images, on one loop device over @file. */
void worker_setup(struct worker *w, const char *file);
void worker_teardown(struct worker *w);
/* The slice with the layer @file, NULL if there is none. */
struct slice *worker_slice(struct worker *w, const char *file);
/* Makes the device @len bytes long: shorter than the slice, or as long again. */
void slice_cut(struct worker *w, struct slice *s, uint64_t len);
/* The GUARD_BYTES bytes that lie before and behind each slice. */
const uint8_t *slice_guard(void);

#endif
