/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * chainstress: finds out that something hangs.
 */
#ifndef COWCHAIN_STRESS_WATCHDOG_H
#define COWCHAIN_STRESS_WATCHDOG_H

/* A thread over struct stress that ends the process after a time without a heartbeat. */
void *watchdog_thread(void *arg);

#endif
