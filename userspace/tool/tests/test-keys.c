// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys and signals at a terminal, and what is left of it.
 */
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "keys.h"
#include "test.h"

/* Longer than any machine takes: the tests end it. */
#define FOREVER 600

static int keyboard, terminal, ready[2];
static void (*finish)(void) = keys_end;
static int again;	/* a signal that comes after that */

/* Has the terminal for its own. Exits with 0 if it was told to end. */
static void child(double seconds)
{
	bool end;

	setsid();
	ioctl(terminal, TIOCSCTTY, 0);
	dup2(terminal, STDIN_FILENO);
	/* A shell lets what it runs in the background ignore it, and so would keys.c. */
	signal(SIGINT, SIG_DFL);
	keys_begin();
	if (write(ready[1], "", 1) != 1)
		_exit(2);
	end = keys_wait(seconds);
	finish();
	if (again)
		raise(again);
	_exit(end ? 0 : 1);
}

static pid_t start(struct termios *before, double seconds)
{
	struct termios during;
	char byte;
	pid_t pid;

	assert_int_equal(openpty(&keyboard, &terminal, NULL, NULL, NULL), 0);
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(tcgetattr(terminal, before), 0);
	assert_true(before->c_lflag & ICANON && before->c_lflag & ECHO);
	pid = fork();
	if (!pid)
		child(seconds);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(tcgetattr(terminal, &during), 0);
	assert_false(during.c_lflag & (ICANON | ECHO));
	return pid;
}

/* Returns how the child has ended. */
static int end(pid_t pid, const struct termios *before)
{
	struct termios after;
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(tcgetattr(terminal, &after), 0);
	assert_int_equal(after.c_lflag, before->c_lflag);
	assert_memory_equal(after.c_cc, before->c_cc, sizeof(after.c_cc));
	close(keyboard);
	close(terminal);
	close(ready[0]);
	close(ready[1]);
	return status;
}

static void quit(void **state)
{
	struct termios before;
	pid_t pid = start(&before, FOREVER);

	(void)state;
	/* Others are not taken for it. */
	assert_int_equal(write(keyboard, "x\nq", 3), 3);
	assert_int_equal(end(pid, &before), 0);
}

static void interrupted(void **state)
{
	struct termios before;
	pid_t pid = start(&before, FOREVER);
	int status;

	(void)state;
	/* Ctrl-C */
	assert_int_equal(write(keyboard, "\003", 1), 1);
	status = end(pid, &before);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	pid = start(&before, FOREVER);
	kill(pid, SIGTERM);
	status = end(pid, &before);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

/* Ends by a signal, goes on, and is ended by the next. */
static void goes_on(void **state)
{
	struct termios before;
	pid_t pid;
	int status;

	(void)state;
	finish = keys_done;
	again = SIGTERM;
	pid = start(&before, FOREVER);
	kill(pid, SIGINT);
	status = end(pid, &before);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	again = 0;
	pid = start(&before, FOREVER);
	kill(pid, SIGQUIT);
	assert_int_equal(end(pid, &before), 0);
	finish = keys_end;
}

static void in_time(void **state)
{
	struct termios before;
	pid_t pid = start(&before, 0.1);
	int status = end(pid, &before);

	(void)state;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quit),
		cmocka_unit_test(interrupted),
		cmocka_unit_test(goes_on),
		cmocka_unit_test(in_time),
	};

	return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
