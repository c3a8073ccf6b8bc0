/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The process that the user has started. It runs no guest itself: it forks a process for that, and
 * another one when the guest has reset the machine, so that each boot begins with nothing left of
 * the one before. It receives the signals, and keeps the time.
 */
#ifndef VMM_SUPERVISOR_H
#define VMM_SUPERVISOR_H

#include <stdbool.h>

struct supervisor {
	unsigned int timeout;		/* seconds until the guest is ended; 0: none */
	unsigned int grace;		/* seconds between the power button and the end */
	unsigned int kill;		/* seconds that the guest has to end when told; 0: any */
	bool reboot;			/* run the guest again after a reset */
};

/* What the process of the guest is told: one byte each. End of file: there is no supervisor. */
enum {
	TELL_BUTTON = 'b',		/* press the power button */
	TELL_STOP = 's',		/* end now */
	TELL_TIMEOUT = 't',		/* end now, because of the timeout */
	TELL_CONTINUE = 'c',		/* a paused guest is to continue */
	TELL_SIZES = 'z',		/* look at the sizes of the disks */
};

/*
 * Run `guest` in a process of its own, with the descriptor from which it is told something. It
 * returns an enum vm_end. So does this function, when the guest has ended and is not to be run
 * again. A guest that is told to end and does not is killed. The signals that are meant for the supervisor stay blocked in the other process.
 */
int supervise(const struct supervisor *s, int (*guest)(void *arg, int control), void *arg);

#endif
