/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Waits for device-mapper events without polling.
 */
#ifndef COWCHAIN_DM_WATCH_H
#define COWCHAIN_DM_WATCH_H

/*
 * Arm, read the status, then wait: an event between the reading and the wait is not lost. Events of
 * any device end the wait.
 */
int dm_watch_open(void);
int dm_watch_arm(int watch);
/*
 * timeout_ms: -1 for no limit. Returns 1 for an event, 0 for the timeout, -EINTR after a signal, or
 * another negative errno after a message.
 */
int dm_watch_wait(int watch, int timeout_ms);

#endif
