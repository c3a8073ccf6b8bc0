/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Delays signals that would end the program until an operation is done or undone.
 */
#ifndef COWCHAIN_HOLD_H
#define COWCHAIN_HOLD_H

#include <stdbool.h>
#include <sys/types.h>

/* Holds nest. A signal that came meanwhile ends the program in the outermost hold_end(). */
void hold_begin(void);
void hold_end(void);
/* Is such a signal pending? Then the operation should be undone. */
bool hold_interrupted(void);

/* In a child before exec(): restore the signal mask. */
void hold_child(void);
/*
 * waitpid() within a hold. Signals that arrive meanwhile are passed on to the child, and one that
 * ends the child counts as if sent to this program. Returns 0, or -1 with errno.
 */
int hold_wait(pid_t pid, int *status);

#endif
