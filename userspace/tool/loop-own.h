/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Remembers the loop devices that this process has made or shares. A chain of 255 layers has up to
 * 510, and to look at each of them in sysfs for each file takes most of the time of an attach.
 */
#ifndef COWCHAIN_LOOP_OWN_H
#define COWCHAIN_LOOP_OWN_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/* name: the kernel's, such as "loop3". The descriptor holds the device, until it is closed. */
void loop_own_add(const char *name, int fd, dev_t dev, const struct stat *file);
/* Is it one of these devices, and still held, but of another file? */
bool loop_own_other(const char *name, const struct stat *file);

#endif
