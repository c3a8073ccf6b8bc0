// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waits for keys, without Enter, and for signals.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "keys.h"
#include "macros.h"

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
static volatile sig_atomic_t caught;
static struct termios before;
static bool changed;

static void take_signal(int number)
{
	caught = number;
}

/* In the background, a change would stop the program. */
static bool has_terminal(void)
{
	return isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/* Again each time: whoever stopped the program and continued it has reset the terminal. */
static void set_terminal(void)
{
	struct termios now;

	if (!has_terminal() || tcgetattr(STDIN_FILENO, &now))
		return;
	if (!changed)
		before = now;
	changed = true;
	now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	now.c_cc[VMIN] = 1;
	now.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &now);
}

void keys_begin(void)
{
	struct sigaction action = { .sa_handler = take_signal }, old;
	size_t i;

	sigemptyset(&action.sa_mask);
	/* One that is ignored, as by nohup, remains so. */
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		if (!sigaction(signals[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	set_terminal();
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Returns true for "q", and at the end of the input, when the terminal is gone. */
static bool read_key(void)
{
	char key;
	ssize_t n = read(STDIN_FILENO, &key, 1);

	return !n || (n == 1 && (key == 'q' || key == 'Q'));
}

/*
 * Signals are blocked but within ppoll(), or one that comes before it would be noticed after the wait only. Returns as
 * poll().
 */
static int wait_for_key(double seconds)
{
	struct pollfd fd = { .fd = has_terminal() ? STDIN_FILENO : -1, .events = POLLIN };
	struct timespec ts = { .tv_sec = (time_t)seconds };
	sigset_t block, old;
	size_t i;
	int ret;

	ts.tv_nsec = (long)((seconds - (double)ts.tv_sec) * 1e9);
	sigemptyset(&block);
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&block, signals[i]);
	sigprocmask(SIG_BLOCK, &block, &old);
	ret = caught ? -1 : ppoll(&fd, 1, &ts, &old);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return ret;
}

bool keys_wait(double seconds)
{
	double end = now() + seconds, left;

	set_terminal();
	while (!caught && (left = end - now()) > 0)
		if (wait_for_key(left) > 0 && read_key())
			return true;
	return caught;
}

static void reset_terminal(void)
{
	if (changed && has_terminal())
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

void keys_done(void)
{
	struct sigaction now_is;
	size_t i;

	reset_terminal();
	/* Not those that were ignored before. */
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		if (!sigaction(signals[i], NULL, &now_is) && now_is.sa_handler == take_signal)
			signal(signals[i], SIG_DFL);
	caught = 0;
}

void keys_end(void)
{
	size_t i;

	reset_terminal();
	if (!caught)
		return;
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		signal(signals[i], SIG_DFL);
	raise(caught);
}
