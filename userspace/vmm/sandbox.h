/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is left to an attacker who takes over the launcher from inside the guest: everything is
 * opened before the guest runs, then privileges go, then each thread keeps the few system calls its
 * role needs.
 */
#ifndef VMM_SANDBOX_H
#define VMM_SANDBOX_H

#include <stdbool.h>

enum sandbox_role {
	SANDBOX_MAIN,		/* console input, signals, timeout, the end */
	SANDBOX_VCPU,
	SANDBOX_DISK,
	SANDBOX_DISK_SLOW,	/* discards and zeroing: calls that io_uring cannot make */
};

/*
 * Once, before any thread starts. Root becomes nobody without capabilities; others keep their uid.
 * `enabled` false makes this and sandbox_enter() do nothing. 0 or -errno.
 */
int sandbox_drop_privileges(bool enabled);

/* On the thread itself, last thing before its loop. Where that fails the launcher ends. */
void sandbox_enter(enum sandbox_role role);

#endif
