/* SPDX-License-Identifier: GPL-2.0-only */
/* The user's terminal: raw while the guest uses it, restored in any case. */
#ifndef VMM_TERM_H
#define VMM_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Make stdin raw if it is a terminal, and restore it at exit. */
void term_raw(void);

/* Is it raw? Otherwise escapes are not recognised. */
bool term_is_raw(void);

/* Restore the terminal. Safe in a signal handler, and if there is nothing to restore. */
void term_restore(void);

/*
 * End the launcher immediately, from any thread that cannot continue; the caller has printed a
 * message.
 */
_Noreturn void term_fatal(void);

/* State of the escape key, Ctrl-A: Ctrl-A x quits, Ctrl-A Ctrl-A sends one Ctrl-A. */
struct term_escape {
	bool pending;
};

/*
 * Remove the escapes from `buf` in place; sets *quit if one of them asks for that. Returns the new
 * length.
 */
size_t term_filter(struct term_escape *e, uint8_t *buf, size_t len, bool *quit);

#endif
