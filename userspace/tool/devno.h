/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device numbers of block devices, as text and as names.
 */
#ifndef COWCHAIN_DEVNO_H
#define COWCHAIN_DEVNO_H

#include <sys/types.h>

/* "7:3", the form that tables and messages take. Caller frees. */
char *devno_format(dev_t dev);
/* "7:3" or the path of a block device. Returns 0 or -1 without a message. */
int devno_parse(const char *text, dev_t *dev);
/*
 * The file behind a loop device that shows all of it; else the path of the device node. NULL if
 * neither is known. Caller frees.
 */
char *devno_file(dev_t dev);
/* The name of a mapped device, as the kernel has it; NULL of another one. Caller frees. */
char *devno_dm_name(dev_t dev);
/* The path of the node: /dev/mapper/NAME or /dev/KERNELNAME. NULL if unknown. Caller frees. */
char *devno_node(dev_t dev);
/* The same by the name that the kernel has for it, such as dm-3. Caller frees. */
char *devno_kernel_node(const char *name);

#endif
