/* SPDX-License-Identifier: GPL-2.0-only */
/* The file of --console file:FILE. */
#ifndef VMM_CONSOLE_H
#define VMM_CONSOLE_H

/* Create or empty `path`, for writing. Returns a descriptor, or -errno after a message. */
int console_open(const char *path);

#endif
