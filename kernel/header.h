/* SPDX-License-Identifier: GPL-2.0-only */
/* The header of an image: the backing file that it names, and writing it. */
#ifndef COWCHAIN_HEADER_H
#define COWCHAIN_HEADER_H

#include "layer.h"

/**
 * cc_layer_backing() - copy the backing file name and format of a layer.
 * @name, @format: at least QCOW2_MAX_BACKING_NAME + 1 and 16 bytes; empty strings if the header
 *	names none.
 *
 * Context: process. Return: 0 or -errno.
 */
int cc_layer_backing(struct cc_layer *layer, char *name, char *format);

/**
 * cc_layer_check_backing() - check that cc_layer_set_backing() would find room.
 *
 * Context: process. Return: 0 or -errno.
 */
int cc_layer_check_backing(struct cc_layer *layer, const char *name, const char *format);

/**
 * cc_layer_set_backing() - name another backing file.
 * @name: NULL to drop the backing file.
 *
 * See "Rules for a writer" in on-disk.rst, 6. The new header is durable on return of 0.
 *
 * Context: cc->ctl held. Return: 0 or -errno.
 */
int cc_layer_set_backing(struct cc_layer *layer, const char *name, const char *format);

/**
 * cc_layer_header_again() - read the header cluster in order to change it.
 *
 * As cc_layer_header(), but also updates where things lie in it: a write that failed may have
 * reached the device all the same.
 */
u8 *cc_layer_header_again(struct cc_layer *layer, u32 *len);

/* Make a range of @header durable. Context: process. Return: 0 or -errno. */
int cc_layer_write_header(struct cc_layer *layer, const u8 *header, u32 offset, u32 len);

/*
 * Remember what @fresh says about a header that was rewritten, also in the twin. Context: process.
 */
void cc_layer_take_names(struct cc_layer *layer, const struct q2_info *fresh);

#endif /* COWCHAIN_HEADER_H */
