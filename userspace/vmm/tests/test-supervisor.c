// SPDX-License-Identifier: GPL-2.0-only
/* The process that runs the guest's process: what it tells that one, and how it ends. */
#include "test.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rate.h"
#include "supervisor.h"
#include "util.h"
#include "vm.h"

#define TIMEOUT_MS	20000

/* Shared with the guests' processes. */
static struct {
	int boots;
	char told[16];
} *shared;

static int setup(void **state)
{
	static const int ends[] = { SIGHUP, SIGINT, SIGTERM };
	size_t i;

	(void)state;
	/* Whoever runs this in the background, or with nohup, has some of them ignored. */
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		signal(ends[i], SIG_DFL);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	return shared == MAP_FAILED;
}

static int teardown(void **state)
{
	(void)state;
	return munmap(shared, sizeof(*shared));
}

/* How a guest is run in these tests: never for long. */
static int run(const struct supervisor *s, int (*guest)(void *arg, int control))
{
	int end;

	fflush(NULL);		/* the guest's process must not print what is buffered */
	quiet_begin();
	end = supervise(s, guest, NULL);
	return end;
}

/* What it is told next; 0 at the end of file. */
static char listen_to(int control)
{
	struct pollfd p = { .fd = control, .events = POLLIN };
	char c = 0;

	if (poll(&p, 1, TIMEOUT_MS) != 1 || read(control, &c, 1) < 0)
		_exit(99);
	shared->told[strlen(shared->told)] = c;
	return c;
}

static int powers_off(void *arg, int control)
{
	(void)arg;
	(void)control;
	return END_POWEROFF;
}

static int panics(void *arg, int control)
{
	(void)arg;
	(void)control;
	return END_PANIC;
}

static void passes_on_the_end(void **state)
{
	static const struct supervisor s = { .grace = 60, .reboot = true };

	(void)state;
	assert_int_equal(run(&s, powers_off), END_POWEROFF);
	quiet_end();
	assert_int_equal(run(&s, panics), END_PANIC);
	quiet_end();
}

static int reboots_twice(void *arg, int control)
{
	(void)arg;
	(void)control;
	return ++shared->boots < 3 ? END_REBOOT : END_POWEROFF;
}

static void boots_again(void **state)
{
	struct supervisor s = { .reboot = true };

	(void)state;
	assert_int_equal(run(&s, reboots_twice), END_POWEROFF);
	assert_int_equal(shared->boots, 3);
	assert_non_null(strstr(quiet_end(), "the guest rebooted"));
	shared->boots = 0;
	s.reboot = false;
	assert_int_equal(run(&s, reboots_twice), END_REBOOT);
	assert_int_equal(shared->boots, 1);
	quiet_end();
}

#define MESSAGES	30

static int talks_and_reboots(void *arg, int control)
{
	for (int i = 0; i < MESSAGES; i++)
		say_guest("something that the guest caused");
	return reboots_twice(arg, control);
}

/* A guest that reboots has no other limit than one that does not, and each message is counted. */
static void one_limit_for_all_boots(void **state)
{
	static const struct supervisor s = { .reboot = true };
	const char *text, *more;
	unsigned int said, left_out = 0;
	int status;
	pid_t pid;

	(void)state;
	fflush(NULL);
	quiet_begin();
	pid = fork();		/* a new limit */
	if (!pid)
		_exit(supervise(&s, talks_and_reboots, NULL));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	text = quiet_end();
	assert_int_equal(status, 0);
	said = occurrences(text, "something that the guest caused") +
	       occurrences(text, "the guest rebooted");
	assert_in_range(said, 1, RATE_TIMES);
	for (more = text; (more = strstr(more, " more messages")); more++)
		left_out += atoi(memrchr(text, ' ', more - text));
	assert_int_equal(said + left_out, 3 * MESSAGES + 2);
}

/* The rest of a second is waited for, in which it can be told to end. */
static int reboots_always(void *arg, int control)
{
	(void)arg;
	(void)control;
	shared->boots++;
	return END_REBOOT;
}

static void not_many_boots(void **state)
{
	static const struct supervisor s = { .timeout = 2, .grace = 60, .reboot = true };

	(void)state;
	assert_int_equal(run(&s, reboots_always), END_TIMEOUT);
	assert_in_range(shared->boots, 1, 3);
	quiet_end();
}

static int shuts_down_when_asked(void *arg, int control)
{
	(void)arg;
	kill(getppid(), SIGTERM);
	return listen_to(control) == TELL_BUTTON ? END_POWEROFF : END_ERROR;
}

static void asks_first(void **state)
{
	static const struct supervisor s = { .grace = 60 };

	(void)state;
	assert_int_equal(run(&s, shuts_down_when_asked), END_POWEROFF);
	assert_string_equal(shared->told, "b");
	quiet_end();
}

/* The same signal again means that the user does not want to wait. */
static int ignores_the_button(void *arg, int control)
{
	(void)arg;
	kill(getppid(), SIGTERM);
	listen_to(control);
	kill(getppid(), SIGINT);
	return listen_to(control) == TELL_STOP ? END_STOPPED : END_ERROR;
}

static void the_second_signal_does_not_ask(void **state)
{
	static const struct supervisor s = { .grace = 60 };

	(void)state;
	assert_int_equal(run(&s, ignores_the_button), END_STOPPED);
	assert_string_equal(shared->told, "bs");
	quiet_end();
}

static int waits_for_the_end(void *arg, int control)
{
	char c;

	(void)arg;
	kill(getppid(), SIGHUP);
	while ((c = listen_to(control)) == TELL_BUTTON)
		;
	return c == TELL_STOP ? END_STOPPED : c == TELL_TIMEOUT ? END_TIMEOUT : END_ERROR;
}

static void the_grace_ends(void **state)
{
	static const struct supervisor s = { .grace = 1 };

	(void)state;
	assert_int_equal(run(&s, waits_for_the_end), END_STOPPED);
	assert_string_equal(shared->told, "bs");
	assert_non_null(strstr(quiet_end(), "has not powered off in 1 seconds"));
}

static void no_grace(void **state)
{
	static const struct supervisor s = { .grace = 0 };

	(void)state;
	assert_int_equal(run(&s, waits_for_the_end), END_STOPPED);
	assert_string_equal(shared->told, "s");
	quiet_end();
}

static void the_timeout_ends_all(void **state)
{
	static const struct supervisor s = { .timeout = 1, .grace = 60 };

	(void)state;
	assert_int_equal(run(&s, waits_for_the_end), END_TIMEOUT);
	/* on a busy machine the second may be over before the guest has sent its signal */
	assert_string_equal(strchr(shared->told, 't'), "t");
	assert_true(shared->told[0] == 'b' || shared->told[0] == 't');
	quiet_end();
}

/* Somebody who asks it to power off does not want it to boot. */
static int reboots_when_asked(void *arg, int control)
{
	(void)arg;
	shared->boots++;
	kill(getppid(), SIGTERM);
	listen_to(control);
	return END_REBOOT;
}

static void no_boot_after_the_button(void **state)
{
	static const struct supervisor s = { .grace = 60, .reboot = true };

	(void)state;
	assert_int_equal(run(&s, reboots_when_asked), END_STOPPED);
	assert_int_equal(shared->boots, 1);
	quiet_end();
}

static int gets_other_signals(void *arg, int control)
{
	(void)arg;
	kill(getppid(), SIGCONT);
	listen_to(control);
	kill(getppid(), SIGUSR1);
	listen_to(control);
	return END_POWEROFF;
}

static void translates_signals(void **state)
{
	static const struct supervisor s = { .grace = 60 };

	(void)state;
	assert_int_equal(run(&s, gets_other_signals), END_POWEROFF);
	assert_string_equal(shared->told, "cz");
	quiet_end();
}

/* As somebody who has taken over the process of the guest. */
static int does_not_listen(void *arg, int control)
{
	(void)arg;
	(void)control;
	kill(getppid(), SIGTERM);
	for (int i = 0; i < TIMEOUT_MS; i++)
		usleep(1000);
	return END_POWEROFF;
}

static void who_does_not_end_is_killed(void **state)
{
	static const struct supervisor stopped = { .kill = 1 };
	static const struct supervisor timeout = { .timeout = 1, .grace = 60, .kill = 1 };

	(void)state;
	assert_int_equal(run(&stopped, does_not_listen), END_STOPPED);
	assert_non_null(strstr(quiet_end(), "has not ended in 1 seconds: killing it"));
	assert_int_equal(run(&timeout, does_not_listen), END_TIMEOUT);
	assert_non_null(strstr(quiet_end(), "has not ended in 1 seconds: killing it"));
}

static int is_killed(void *arg, int control)
{
	(void)arg;
	(void)control;
	kill(getpid(), SIGKILL);
	return END_POWEROFF;
}

static void a_killed_guest_is_an_error(void **state)
{
	static const struct supervisor s = { .reboot = true };

	(void)state;
	assert_int_equal(run(&s, is_killed), END_ERROR);
	assert_non_null(strstr(quiet_end(), "killed by signal 9"));
}

static int outlives_its_supervisor(void *arg, int control)
{
	(void)arg;
	kill(getppid(), SIGKILL);
	if (!listen_to(control))
		shared->boots = 1;
	return END_STOPPED;
}

/* The guest's process then has to end by itself, and to flush its disks. */
static void end_of_file_without_a_supervisor(void **state)
{
	static const struct supervisor s = { .reboot = true };
	pid_t pid;

	(void)state;
	fflush(NULL);
	pid = fork();
	if (!pid)
		_exit(supervise(&s, outlives_its_supervisor, NULL));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	for (int i = 0; !*(volatile int *)&shared->boots; i++) {
		assert_true(i < TIMEOUT_MS);
		usleep(1000);
	}
}

/* Run in a process of its own, as started with these signals ignored. Returns its exit status. */
static int run_ignoring(int sig1, int sig2, int (*guest)(void *arg, int control))
{
	static const struct supervisor s = { .grace = 60 };
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		alarm(TIMEOUT_MS / 1000);
		signal(sig1, SIG_IGN);
		signal(sig2, SIG_IGN);
		_exit(supervise(&s, guest, NULL));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Some programs start others in this way, and then the kernel keeps no exit status. */
static void learns_of_the_end_with_sigchld_ignored(void **state)
{
	(void)state;
	assert_int_equal(run_ignoring(SIGCHLD, SIGCHLD, panics), END_PANIC);
}

static int gets_no_hangup(void *arg, int control)
{
	(void)arg;
	kill(getppid(), SIGHUP);
	kill(getppid(), SIGINT);
	kill(getppid(), SIGUSR1);
	listen_to(control);
	return END_POWEROFF;
}

/* Started by nohup, or in the background by a shell without job control. */
static void ignored_signals_stay_ignored(void **state)
{
	(void)state;
	assert_int_equal(run_ignoring(SIGHUP, SIGINT, gets_no_hangup), END_POWEROFF);
	assert_string_equal(shared->told, "z");
}

/* It ended by itself just when it was told to. */
static int reboots_when_told(void *arg, int control)
{
	(void)arg;
	shared->boots++;
	listen_to(control);
	return END_REBOOT;
}

static void the_timeout_meets_a_reboot(void **state)
{
	static const struct supervisor s = { .timeout = 1, .grace = 60, .reboot = true };

	(void)state;
	assert_int_equal(run(&s, reboots_when_told), END_TIMEOUT);
	assert_string_equal(shared->told, "t");
	assert_int_equal(shared->boots, 1);
	quiet_end();
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(passes_on_the_end), T(boots_again), T(one_limit_for_all_boots),
		T(not_many_boots), T(asks_first),
		T(the_second_signal_does_not_ask), T(the_grace_ends), T(no_grace),
		T(the_timeout_ends_all), T(no_boot_after_the_button),
		T(the_timeout_meets_a_reboot), T(translates_signals),
		T(who_does_not_end_is_killed), T(a_killed_guest_is_an_error),
		T(end_of_file_without_a_supervisor),
		T(learns_of_the_end_with_sigchld_ignored), T(ignored_signals_stay_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
