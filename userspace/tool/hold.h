/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Delays signals that would end or stop the program until an operation is done or undone.
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

/* In a child: let signals end it; those that would stop it remain blocked. */
void hold_child(void);
/*
 * waitpid() within a hold. Signals that arrive meanwhile are passed on to the child, and one that
 * ends the child counts as if sent to this program. tick, if not NULL, is called about once a second meanwhile.
 * Returns 0, or -1 with errno.
 */
int hold_wait(pid_t pid, int *status, void (*tick)(void *data), void *data);
/*
 * The same for the leader of a process group, which gets the signals, with a limit: then the group is ended, and
 * the call fails with ETIMEDOUT. alone: signals are not passed on, but stay pending.
 */
int hold_wait_group(pid_t pid, int *status, unsigned int seconds, bool alone);
/*
 * Within a hold, make a call that may wait in the kernel for long, and that undoes what it has begun if
 * a signal ends the wait: then it is as if it had not been made. Returns what the call returns, 0 or a
 * negative errno; -EINTR after such a signal. The signal may also have come when the wait was over, so
 * after -EINTR the caller has to look whether the call has done its work.
 */
int hold_run(int (*call)(const void *arg), const void *arg);

#endif
