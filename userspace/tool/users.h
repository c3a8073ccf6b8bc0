/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finds out who uses a block device, for messages.
 */
#ifndef COWCHAIN_USERS_H
#define COWCHAIN_USERS_H

#include <sys/types.h>

/*
 * What the kernel shows of its users: "part of /dev/mapper/lv (mounted on /mnt), open in qemu (1234)"; NULL if
 * nothing. Mounts in other namespaces cannot be seen. Caller frees.
 */
char *users_find(dev_t dev);

#endif
