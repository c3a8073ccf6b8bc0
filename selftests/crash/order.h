/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crashreplay: the order of the writes in the log.
 */
#ifndef COWCHAIN_CRASH_ORDER_H
#define COWCHAIN_CRASH_ORDER_H

#include "crash.h"
#include "log.h"
#include "trace.h"

/* Puts writes right that the log has in the wrong order: none may come before one that it waited for. */
void log_order(struct crash_log *l, struct trace *t, const struct slice *slices);

#endif
