/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Waits for keys, without Enter, and for signals.
 */
#ifndef COWCHAIN_KEYS_H
#define COWCHAIN_KEYS_H

#include <stdbool.h>

/*
 * From now on, keys come at once and are not shown, if standard input is a terminal of this program's process group;
 * and signals that end the program wait for keys_end().
 */
void keys_begin(void);
/*
 * Wait so many seconds. Returns true when the program is to end: after "q" or a signal. Standard input is read only if
 * it is a terminal.
 */
bool keys_wait(double seconds);
/* The terminal is as it was. A signal that came ends the program now. */
void keys_end(void);
/* The same where a signal is as good an end as "q": the program goes on. One that comes from now on ends it. */
void keys_done(void);

#endif
