/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The owner of the node of a device.
 */
#ifndef COWCHAIN_NODE_H
#define COWCHAIN_NODE_H

#include "dm-uuid.h"

/*
 * Of the options --owner and --mode of the verb attach, or NULL: fill in the marks. Returns 0, or an exit status after
 * a message.
 */
int node_take_owner(const char *owner, const char *mode, struct dm_marks *marks);
/*
 * Give the node of the device away. Where udev is, its rules do that with each event, by the UUID; they may be missing,
 * and there may be no udev. A failure is a note.
 */
void node_give(const char *name, const struct dm_marks *marks);

#endif
