/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of units of systemd, see systemd.unit(5), "STRING ESCAPING FOR INCLUSION IN UNIT NAMES".
 */
#ifndef BOOT_UNIT_NAME_H
#define BOOT_UNIT_NAME_H

#include <stdbool.h>

/* The part of a unit's name that stands for text, as by systemd-escape. Caller frees. */
char *unit_escape(const char *text);
/* The same for an absolute path, as by "systemd-escape --path": /dev/sda is dev-sda. Caller frees. */
char *unit_escape_path(const char *path);
/* Can it be the name of a unit? They have at most 255 bytes. */
bool unit_name_fits(const char *name);

#endif
