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
 * enum cc_scan - what a top has to be.
 * @CC_SCAN_PREPARED: each cluster has its space. One with a bad entry gets EIO when it is used: an
 *	image that has such ones cannot be had in any other way.
 * @CC_SCAN_SOUND: and no entry is bad (a base that is to become the top, and can be read now).
 * @CC_SCAN_EMPTY: and nothing is allocated (a snapshot's new top).
 */
enum cc_scan { CC_SCAN_PREPARED, CC_SCAN_SOUND, CC_SCAN_EMPTY };

/**
 * cc_top_scan() - validate and count blocks that were not counted yet.
 * @from, @to: block numbers, [from, to).
 *
 * Context: process. Return: 0, -EMEDIUMTYPE (it is not what it has to be; the first such cluster is
 * logged), -EIO, -EINTR (cc_stop_scan() was called, the task was killed, or the device is being
 * suspended).
 */
int cc_top_scan(struct cc_top *top, u32 from, u32 to, enum cc_scan want);

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
