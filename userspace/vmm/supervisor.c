// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the process of a guest, and translates signals and times into what that process is told.
 *
 * Nothing that a guest does reaches this process: all that comes back is an exit status. The two
 * share no memory but the count of messages, of which only numbers are read.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "supervisor.h"
#include "util.h"
#include "vm.h"

/* At least this long from one boot to the next one, also if the guest resets the machine at once. */
#define BOOT_MS	1000

struct state {
	const struct supervisor *opt;
	sigset_t signals;
	int64_t timeout_at, grace_at, kill_at, boot_at;	/* in ms on CLOCK_MONOTONIC; 0: none */
	int stopping;			/* as what, from the power button on; 0: no */
	int told_end;			/* as what the guest was told to end */
	bool killed;			/* because it did not */
	pid_t guest;
	int control;			/* the end for writing */
};

static int64_t now(void)
{
	struct timespec t = in_ms(0);

	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* A guest that has just ended does not read it, which does not matter. */
static void tell(const struct state *s, char what)
{
	if (write(s->control, &what, 1) < 0)
		return;
}

/* Only the first reason counts, as for the guest's process; nor is the time extended. */
static void tell_end(struct state *s, char what, int end)
{
	tell(s, what);
	if (s->told_end != END_NONE)
		return;
	s->told_end = end;
	if (s->opt->kill)
		s->kill_at = now() + s->opt->kill * 1000LL;
}

static void stop_now(struct state *s)
{
	s->grace_at = 0;
	tell_end(s, TELL_STOP, END_STOPPED);
}

/* The first time the guest is asked to shut down, the second time it is not asked. */
static void stop(struct state *s)
{
	if (s->stopping || !s->opt->grace) {
		stop_now(s);
	} else {
		tell(s, TELL_BUTTON);
		s->grace_at = now() + s->opt->grace * 1000LL;
	}
	if (!s->stopping)
		s->stopping = END_STOPPED;
}

static void on_signal(struct state *s, int sig)
{
	switch (sig) {
	case SIGINT:
	case SIGTERM:
	case SIGHUP:
		stop(s);
		break;
	case SIGCONT:
		tell(s, TELL_CONTINUE);
		break;
	case SIGUSR1:
		tell(s, TELL_SIZES);
		break;
	}
}

/*
 * Whoever has taken over the process of the guest need not listen. An honest one is in the flush of
 * a file in the page cache at most, which the kernel mostly completes before it lets go.
 */
static void kill_guest(struct state *s)
{
	s->kill_at = 0;
	s->killed = true;
	say("the process of the guest has not ended in %u seconds: killing it", s->opt->kill);
	kill(s->guest, SIGKILL);
}

static void check_times(struct state *s)
{
	if (s->timeout_at && now() >= s->timeout_at) {
		s->timeout_at = 0;
		s->stopping = END_TIMEOUT;
		tell_end(s, TELL_TIMEOUT, END_TIMEOUT);
	}
	if (s->grace_at && now() >= s->grace_at) {
		say("the guest has not powered off in %u seconds: ending it", s->opt->grace);
		stop_now(s);
	}
	if (s->kill_at && now() >= s->kill_at)
		kill_guest(s);
}

/* Until the next of the times; long if there is none. */
static struct timespec time_left(const struct state *s)
{
	const int64_t at[] = { s->timeout_at, s->grace_at, s->kill_at, s->boot_at };
	int64_t left = 3600 * 1000;

	for (unsigned int i = 0; i < ARRAY_SIZE(at); i++)
		if (at[i] && at[i] - now() < left)
			left = at[i] - now();
	if (left < 0)
		left = 0;
	return (struct timespec) { left / 1000, left % 1000 * 1000000 };
}

/* The exit status of the guest's process; -1 while it runs. */
static int ended(const struct state *s)
{
	int status;
	pid_t pid = waitpid(s->guest, &status, WNOHANG);

	if (!pid)
		return -1;
	if (pid < 0) {
		say_errno(errno, "cannot wait for the process of the guest");
		return END_ERROR;
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	if (s->killed && WTERMSIG(status) == SIGKILL)
		return s->told_end;
	say("the process of the guest was killed by signal %d (%s)", WTERMSIG(status),
	    strsignal(WTERMSIG(status)));
	return END_ERROR;
}

static void wait_for_signal(struct state *s)
{
	struct timespec left = time_left(s);

	on_signal(s, sigtimedwait(&s->signals, NULL, &left));
	check_times(s);
}

static int wait_for_guest(struct state *s)
{
	int end;

	while ((end = ended(s)) < 0)
		wait_for_signal(s);
	return end;
}

/* Nobody is told anything meanwhile. Returns whether it is still to boot. */
static bool wait_to_boot(struct state *s, int64_t at)
{
	s->boot_at = at;
	check_times(s);
	while (!s->stopping && now() < at)
		wait_for_signal(s);
	s->boot_at = 0;
	return !s->stopping;
}

/* Returns only in the process that supervises. */
static int start_guest(struct state *s, int (*guest)(void *arg, int control), void *arg)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK))
		return say_errno(errno, "pipe");
	s->guest = fork();
	if (!s->guest) {
		close(p[1]);
		exit(guest(arg, p[0]));
	}
	close(p[0]);
	s->control = p[1];
	return s->guest < 0 ? say_errno(errno, "cannot start a process for the guest") : 0;
}

/* The guest's process restores the terminal itself, unless it is killed. */
static int run_once(struct state *s, int (*guest)(void *arg, int control), void *arg)
{
	struct termios t;
	bool terminal = tcgetpgrp(STDIN_FILENO) == getpgrp() && !tcgetattr(STDIN_FILENO, &t);
	int end = END_ERROR;

	if (!start_guest(s, guest, arg))
		end = wait_for_guest(s);
	if (terminal && (s->killed || end == END_ERROR) && tcgetpgrp(STDIN_FILENO) == getpgrp())
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &t);
	close(s->control);
	s->control = -1;
	return end;
}

/* As nohup does, or a shell for a job in the background. */
static bool is_ignored(int sig)
{
	struct sigaction sa;

	return !sigaction(sig, NULL, &sa) && sa.sa_handler == SIG_IGN;
}

/*
 * What was ignored when we were started stays ignored, although sigtimedwait() would get it. Not
 * those that are sent on purpose, and not SIGCHLD: without that we would neither be woken at the
 * guest's end nor learn about it.
 */
static void block_signals(struct state *s)
{
	static const int often_ignored[] = { SIGINT, SIGHUP };
	static const int others[] = { SIGTERM, SIGCONT, SIGUSR1, SIGCHLD };

	sigemptyset(&s->signals);
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++)
		sigaddset(&s->signals, others[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(often_ignored); i++)
		if (!is_ignored(often_ignored[i]))
			sigaddset(&s->signals, often_ignored[i]);
	sigprocmask(SIG_BLOCK, &s->signals, NULL);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
}

int supervise(const struct supervisor *opt, int (*guest)(void *arg, int control), void *arg)
{
	struct state s = { .opt = opt, .control = -1, .told_end = END_NONE };
	int64_t began;
	int end;

	if (say_share_limit())
		return END_ERROR;
	block_signals(&s);
	if (opt->timeout)
		s.timeout_at = now() + opt->timeout * 1000LL;
	do {
		began = now();
		end = run_once(&s, guest, arg);
		if (end != END_REBOOT || !opt->reboot || s.stopping)
			break;
		say_guest("the guest rebooted");
	} while (wait_to_boot(&s, began + BOOT_MS));
	say_left_out();
	/* It was asked to power off; what it would have done next does not matter. */
	return end == END_REBOOT && s.stopping ? s.stopping : end;
}
