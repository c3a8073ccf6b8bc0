/* SPDX-License-Identifier: GPL-2.0-only */
/* The user's terminal: raw while the guest has it, restored whatever happens. */
#ifndef VMM_TERM_H
#define VMM_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes stdin raw if it is a terminal, and has it restored at exit. */
void term_raw(void);

/* Is it in our hands? Otherwise escapes are not looked for. */
bool term_is_raw(void);

/* Restores it; safe in a signal handler, and when there is nothing to restore. */
void term_restore(void);

/* Ends the launcher at once, from any thread, when a thread cannot go on; the caller said why. */
_Noreturn void term_fatal(void);

/* State of the escape key, Ctrl-A: then x quits, and Ctrl-A sends one Ctrl-A. */
struct term_escape {
	bool pending;
};

/* Takes the escapes out of `buf` in place; *quit is set when one said so. The new length. */
size_t term_filter(struct term_escape *e, uint8_t *buf, size_t len, bool *quit);

#endif
