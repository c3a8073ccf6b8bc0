// SPDX-License-Identifier: GPL-2.0-only
/*
 * stdin of a job of a shell: on a pseudoterminal, in the background and in the foreground. Each
 * test has two processes, a "shell" that leads the session, and the code of the launcher as its
 * "job".
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "fake-irq.h"
#include "input.h"
#include "sandbox.h"
#include "under-tools.h"
#include "vm.h"

#define STOPPED		99

static int master;
static int to_job[2], to_shell[2];	/* one byte for each time that one waits for the other */

/* The children are outside the test: their exit status tells the line of a failure. */
#define CHECK(what) do { \
	if (!(what)) { \
		fprintf(stderr, "# line %d: %s\n", __LINE__, #what); \
		_exit(1); \
	} \
} while (0)

static void tell(const int *pipe_fds)
{
	CHECK(write(pipe_fds[1], "", 1) == 1);
}

static void hear(const int *pipe_fds)
{
	char c;

	CHECK(read(pipe_fds[0], &c, 1) == 1);
}

static void open_terminal(void)
{
	int fd;

	CHECK(setsid() > 0);
	fd = open(ptsname(master), O_RDWR);
	CHECK(fd >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO);
	close(fd);
	CHECK(tcgetpgrp(STDIN_FILENO) == getpgrp());
	/* As shells do: otherwise taking the terminal back would stop it. */
	signal(SIGTTOU, SIG_IGN);
}

static pid_t start_job(void (*job)(void))
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid) {
		setpgid(pid, pid);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	signal(SIGTTOU, SIG_DFL);
	job();
	_exit(0);
}

static void foreground(pid_t pgrp)
{
	CHECK(!tcsetpgrp(STDIN_FILENO, pgrp));
}

/* Returns the exit status of the job, or STOPPED if it was stopped, which also ends it. */
static int status_of(pid_t pid, int flags)
{
	int st;

	if (waitpid(pid, &st, WUNTRACED | flags) != pid)
		return -1;
	if (WIFSTOPPED(st)) {
		fprintf(stderr, "# stopped by signal %d\n", WSTOPSIG(st));
		kill(pid, SIGKILL);
		return STOPPED;
	}
	return WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
}

static void in_a_session(void (*shell)(void))
{
	pid_t pid;
	int st;

	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(master >= 0);
	assert_int_equal(grantpt(master) || unlockpt(master), 0);
	assert_int_equal(pipe2(to_job, O_CLOEXEC) || pipe2(to_shell, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		alarm(30);
		open_terminal();
		shell();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	close(master);
	for (int i = 0; i < 2; i++) {
		close(to_job[i]);
		close(to_shell[i]);
	}
	assert_int_equal(st, 0);
}

/* The loop of the main thread, until the serial port has input. */
static void read_a_line(void)
{
	static struct uart uart;
	static struct input in;
	static struct vm vm;
	unsigned int turns = 0;

	irq_init(&vm.irq, -1);
	uart_init(&uart, &vm, -1);
	input_init(&in, &uart, true);
	while (!uart.fifo_len) {
		struct pollfd p = { .fd = input_fd(&in), .events = POLLIN };

		CHECK(poll(&p, 1, input_wait_ms(&in)) >= 0);
		CHECK(input_turn(&in, p.revents));
		turns++;
	}
	CHECK(uart.fifo_len == 2 && !memcmp(uart.fifo, "x\n", 2));
	CHECK(turns < 20);
}

/* In the background input goes to the shell, in the foreground to the guest again. */
static void type_at_a_background_job(void)
{
	pid_t job = start_job(read_a_line);

	CHECK(write(master, "x\n", 2) == 2);
	usleep(500 * 1000);
	CHECK(status_of(job, WNOHANG) == -1);
	foreground(job);
	CHECK(status_of(job, 0) == 0);
}

static void reads_in_the_foreground_only(void **state)
{
	(void)state;
	in_a_session(type_at_a_background_job);
}

static void raw_and_restored(void)
{
	hear(to_job);
	term_raw();
	CHECK(term_is_raw());
	tell(to_shell);
	hear(to_job);
	sandbox_init(can_sandbox(), -1);
	sandbox_enter(SANDBOX_MAIN);
	term_restore();
	CHECK(!term_is_raw());
}

static bool is_cooked(void)
{
	struct termios t;

	CHECK(!tcgetattr(STDIN_FILENO, &t));
	return t.c_lflag & ICANON;
}

static void job_goes_to_the_background(void)
{
	pid_t job = start_job(raw_and_restored);

	foreground(job);
	tell(to_job);
	hear(to_shell);
	CHECK(!is_cooked());
	/*
	 * The shell is editing a line: its settings resemble those of the job and must not be
	 * touched.
	 */
	foreground(getpgrp());
	tell(to_job);
	CHECK(status_of(job, 0) == 0);
	CHECK(!is_cooked());
}

static void leaves_the_shell_its_terminal(void **state)
{
	(void)state;
	in_a_session(job_goes_to_the_background);
}

static void job_stays_in_the_foreground(void)
{
	pid_t job = start_job(raw_and_restored);

	foreground(job);
	tell(to_job);
	hear(to_shell);
	CHECK(!is_cooked());
	tell(to_job);
	CHECK(status_of(job, 0) == 0);
	foreground(getpgrp());
	CHECK(is_cooked());
}

static void restores_in_the_foreground(void **state)
{
	(void)state;
	in_a_session(job_stays_in_the_foreground);
}

static void not_raw(void)
{
	term_raw();
	CHECK(!term_is_raw());
	term_restore();
}

static void start_in_the_background(void)
{
	CHECK(status_of(start_job(not_raw), 0) == 0);
	CHECK(is_cooked());
}

static void not_raw_in_the_background(void **state)
{
	(void)state;
	in_a_session(start_in_the_background);
}

/* The loop of the main thread, with a guest that never takes anything, until the user quits. */
static void guest_without_a_driver(void)
{
	static struct uart uart;
	static struct input in;
	static struct vm vm;
	struct pollfd p = { .events = POLLIN };

	hear(to_job);
	term_raw();
	CHECK(term_is_raw());
	irq_init(&vm.irq, -1);
	uart_init(&uart, &vm, -1);
	input_init(&in, &uart, true);
	tell(to_shell);
	do {
		p.fd = input_fd(&in);
		CHECK(p.fd >= 0);
		CHECK(poll(&p, 1, input_wait_ms(&in)) >= 0);
	} while (input_turn(&in, p.revents));
	CHECK(uart.fifo_len == UART_FIFO && in.len == INPUT_BYTES);
	term_restore();
}

static void type_much_and_quit(void)
{
	static char keys[2 * INPUT_BYTES];
	pid_t job = start_job(guest_without_a_driver);
	ssize_t n;

	foreground(job);
	tell(to_job);
	hear(to_shell);
	memset(keys, 'k', sizeof(keys));
	for (size_t done = 0; done < sizeof(keys); done += n) {
		n = write(master, keys + done, sizeof(keys) - done);
		CHECK(n > 0);
	}
	CHECK(write(master, "\001x", 2) == 2);
	CHECK(status_of(job, 0) == 0);
	foreground(getpgrp());
	CHECK(is_cooked());
}

static void quits_whatever_the_guest_takes(void **state)
{
	(void)state;
	in_a_session(type_much_and_quit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_in_the_foreground_only),
		cmocka_unit_test(leaves_the_shell_its_terminal),
		cmocka_unit_test(restores_in_the_foreground),
		cmocka_unit_test(not_raw_in_the_background),
		cmocka_unit_test(quits_whatever_the_guest_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
