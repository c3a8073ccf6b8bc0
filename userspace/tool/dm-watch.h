/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Waiting for device-mapper events without polling.
 */
#ifndef COWCHAIN_DM_WATCH_H
#define COWCHAIN_DM_WATCH_H

/*
 * Arm, look at the status, then wait: an event between the look and the wait is not lost. Any
 * device's event ends the wait.
 */
int dm_watch_open(void);
int dm_watch_arm(int watch);
/* timeout in ms, -1 for none. Returns 1 for an event, 0 for the timeout, -EINTR on a signal, -errno. */
int dm_watch_wait(int watch, int timeout_ms);

#endif
