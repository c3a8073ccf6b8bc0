/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What must not stay half done: signals that end the program wait until it is done or undone.
 */
#ifndef COWCHAIN_HOLD_H
#define COWCHAIN_HOLD_H

#include <stdbool.h>
#include <sys/types.h>

/* These nest. A signal that came meanwhile ends the program in the last hold_end(). */
void hold_begin(void);
void hold_end(void);
/* Is there one? Then whoever holds it should undo what it did. */
bool hold_interrupted(void);

/* In a child, before it becomes another program: signals are as they were. */
void hold_child(void);
/*
 * waitpid() within a hold. A signal that comes meanwhile is passed on to the child, and one that
 * ended the child counts as if it had come to us. Returns 0 or -1 with errno.
 */
int hold_wait(pid_t pid, int *status);

#endif
