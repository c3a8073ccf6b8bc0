/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device numbers of block devices, as text and as names.
 */
#ifndef COWCHAIN_DEVNO_H
#define COWCHAIN_DEVNO_H

#include <sys/types.h>

/* "7:3", as tables and messages take it. Caller frees. */
char *devno_format(dev_t dev);
/* "7:3" or the path of a block device. Returns 0 or -1 without a message. */
int devno_parse(const char *text, dev_t *dev);
/*
 * The file behind a block device if it is a loop device of all of it, else the path of its node;
 * NULL if neither can be found. Caller frees.
 */
char *devno_file(dev_t dev);
/* The path of the node: /dev/mapper/NAME or /dev/KERNELNAME. NULL if unknown. Caller frees. */
char *devno_node(dev_t dev);

#endif
