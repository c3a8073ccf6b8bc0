/* SPDX-License-Identifier: GPL-2.0-only */
/* Discards and write zeroes. */
#ifndef COWCHAIN_DISCARD_H
#define COWCHAIN_DISCARD_H

#include "map.h"

/*
 * Serve a discard or a write zeroes; all of them are deferred. Context: process. Return: 0, -ESTALE
 * as cc_write_again(), or -EAGAIN: it was handed to another worker, and @io may be gone.
 */
int cc_discard_deferred(struct cc_io *io);

#endif /* COWCHAIN_DISCARD_H */
