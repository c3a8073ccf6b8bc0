// SPDX-License-Identifier: GPL-2.0-only
/*
 * The user's terminal: raw mode, its restoration, and the escape key.
 */
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "macros.h"
#include "term.h"

#define ESCAPE 0x01

/* Global, for the signal handler and atexit(). */
static struct termios saved;
static volatile sig_atomic_t is_raw;
static pid_t our_job;

/*
 * Does another job have the terminal, after a stop and a "bg" in the shell for example? Then it has
 * settings of its own, and changing them would stop us. The sandbox has no getpgrp().
 */
static bool in_background(void)
{
	pid_t pgrp = tcgetpgrp(STDIN_FILENO);

	return pgrp > 0 && pgrp != our_job;
}

void term_restore(void)
{
	if (is_raw && !in_background())
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
	is_raw = 0;
}

bool term_is_raw(void)
{
	return is_raw;
}

void term_fatal(void)
{
	term_restore();
	_exit(1);
}

/* Then the default action: a fault recurs, and abort() raises its signal again. */
static void on_crash(int sig)
{
	(void)sig;
	term_restore();
}

static void restore_on_crash(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	struct sigaction sa = { .sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND };

	for (unsigned int i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &sa, NULL);
}

void term_raw(void)
{
	struct termios t;

	our_job = getpgrp();
	/* In the background, another job has the terminal: touching it would stop us. */
	if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != our_job ||
	    tcgetattr(STDIN_FILENO, &saved))
		return;
	t = saved;
	cfmakeraw(&t);
	t.c_oflag |= OPOST;	/* the guest sends CR LF, but our own messages only LF */
	if (!tcsetattr(STDIN_FILENO, TCSAFLUSH, &t)) {
		is_raw = 1;
		atexit(term_restore);
		restore_on_crash();
	}
}

size_t term_filter(struct term_escape *e, uint8_t *buf, size_t len, bool *quit)
{
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = buf[i];

		if (!e->pending && c == ESCAPE) {
			e->pending = true;
			continue;
		}
		if (e->pending && (c == 'x' || c == 'X'))
			*quit = true;
		else if (!e->pending || c == ESCAPE)
			buf[out++] = c;
		e->pending = false;
	}
	return out;
}
