/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Limits what an attacker can do who takes over the launcher from inside the guest: everything is
 * opened before the guest runs, then privileges are dropped, then each thread keeps only the few
 * system calls of its role.
 */
#ifndef VMM_SANDBOX_H
#define VMM_SANDBOX_H

#include <stdbool.h>

enum sandbox_role {
	SANDBOX_MAIN,		/* console input, signals, timeout, the end */
	SANDBOX_VCPU,
	SANDBOX_DISK,
	SANDBOX_DISK_SLOW,	/* discards and zeroing, which io_uring cannot do */
};

/*
 * To be called once, before any thread starts. If `enabled` is false, sandbox_enter() does nothing.
 * The processors may truncate the file `console_fd`; -1: none.
 */
void sandbox_init(bool enabled, int console_fd);

/* To be called on the thread itself, right before its loop. Ends the launcher on failure. */
void sandbox_enter(enum sandbox_role role);

#endif
