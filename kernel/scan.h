/* SPDX-License-Identifier: GPL-2.0-only */
/* Validates and counts the tables of the top, at once or in the background. */
#ifndef COWCHAIN_SCAN_H
#define COWCHAIN_SCAN_H

#include "top.h"

/*
 * So much of the L2 tables is validated on activation, which nobody wants to wait for. It stays in
 * dm-bufio's cache; what is validated later does not.
 */
#define CC_SCAN_SYNC_BLOCKS	((2U << 20) / CC_L2_BLOCK_BYTES)

/**
 * cc_top_scan() - validate and count blocks that were not counted yet.
 * @from, @to: block numbers, [from, to).
 * @empty: nothing may be allocated (a snapshot's new top).
 *
 * Context: process. Return: 0, -EMEDIUMTYPE (not prepared, or not empty), -EIO, -EINTR
 * (cc_stop_scan() was called, the task was killed, or the device is being suspended).
 */
int cc_top_scan(struct cc_top *top, u32 from, u32 to, bool empty);

/* Before the first cc_start_scan() or cc_stop_scan(). */
void cc_scan_init(struct cowchain *cc);

/*
 * Start counting in the background what activation has left out; the scan holds a view. Context:
 * process, cc->ctl held.
 */
void cc_start_scan(struct cowchain *cc);

/* Publish a view; the scan holds one, too, and goes on with the new one. cc->ctl is held. */
void cc_view_publish(struct cowchain *cc, struct cc_view *now);

/* Wait until the scan has let its view go. Context: process. */
void cc_stop_scan(struct cowchain *cc);

#endif /* COWCHAIN_SCAN_H */
