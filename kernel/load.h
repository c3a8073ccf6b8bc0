/* SPDX-License-Identifier: GPL-2.0-only */
/* The metadata of a layer: read, validated, and forgotten again. */
#ifndef COWCHAIN_LOAD_H
#define COWCHAIN_LOAD_H

#include "layer.h"

/**
 * cc_layer_probe() - validate what can be validated under a live table.
 *
 * These are the sizes and the header except for the backing name: the table that is being replaced
 * does not change them in a way that would matter.
 *
 * Makes the layer's dm-bufio client, which stays until cc_layer_close().
 *
 * Context: process. Return: 0 or -errno.
 */
int cc_layer_probe(struct cc_layer *layer);

/**
 * cc_layer_load() - read and validate the header and the L1 table.
 *
 * After cc_layer_probe() or an earlier attempt it makes no dm-bufio client, so that it can be
 * called while the device is suspended.
 *
 * Context: process. Return: 0, or -errno with the layer unloaded.
 */
int cc_layer_load(struct cc_layer *layer);

/* Undo cc_layer_load(), so that it can be tried again. The client stays. Context: process. */
void cc_layer_unload(struct cc_layer *layer);

/**
 * cc_layer_header() - read the header cluster.
 * @len: its length in bytes.
 *
 * Context: process. Return: a buffer to be freed by kvfree(), or ERR_PTR.
 */
u8 *cc_layer_header(struct cc_layer *layer, u32 *len);

/* Number of the dm-bufio block with L2 block @index of a writable layer. Context: any. */
sector_t cc_layer_l2_block(const struct cc_layer *layer, u32 index);

#endif /* COWCHAIN_LOAD_H */
