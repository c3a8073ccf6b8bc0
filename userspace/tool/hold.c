// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks the signals that end or stop the program, and passes the former on to a child.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hold.h"
#include "macros.h"

static sigset_t before;		/* the mask outside all holds */
static sigset_t ending;		/* signals that would end the program */
static unsigned int depth;

/* Those of a terminal. In a stopped program, a suspended device would stay so. */
static const int stopping[] = { SIGTSTP, SIGTTIN, SIGTTOU };

/* Leave signals alone that are ignored, as by nohup, or were blocked already. */
static bool would_end(int sig)
{
	struct sigaction action;

	return !sigaction(sig, NULL, &action) && action.sa_handler != SIG_IGN &&
	       !sigismember(&before, sig);
}

void hold_begin(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t held;
	size_t i;

	if (depth++)
		return;
	sigprocmask(SIG_SETMASK, NULL, &before);
	sigemptyset(&ending);
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		if (would_end(signals[i]))
			sigaddset(&ending, signals[i]);
	held = ending;
	for (i = 0; i < ARRAY_SIZE(stopping); i++)
		sigaddset(&held, stopping[i]);
	/* A closed pipe behind stderr must not end the program half way, either. */
	sigaddset(&held, SIGPIPE);
	/* For hold_wait(). If SIGCHLD were ignored, children would leave no status. */
	sigaddset(&held, SIGCHLD);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &held, NULL);
}

void hold_end(void)
{
	if (!--depth)
		sigprocmask(SIG_SETMASK, &before, NULL);
}

bool hold_interrupted(void)
{
	sigset_t pending;
	int sig;

	if (!depth || sigpending(&pending))
		return false;
	for (sig = 1; sig < SIGRTMIN; sig++)
		if (sigismember(&ending, sig) && sigismember(&pending, sig))
			return true;
	return false;
}

void hold_child(void)
{
	sigset_t mask = before;
	size_t i;

	/* A stopped child would keep the program in hold_wait(), which its shell does not take for stopped. */
	for (i = 0; i < ARRAY_SIZE(stopping); i++)
		sigaddset(&mask, stopping[i]);
	if (depth)
		sigprocmask(SIG_SETMASK, &mask, NULL);
}

int hold_wait(pid_t pid, int *status, void (*tick)(void *data), void *data)
{
	static const struct timespec second = { .tv_sec = 1 };
	sigset_t set = ending;
	int sig, caught = 0;
	pid_t ret;

	sigaddset(&set, SIGCHLD);
	while (!(ret = waitpid(pid, status, WNOHANG))) {
		sig = sigtimedwait(&set, NULL, tick ? &second : NULL);
		if (tick && sig < 0 && errno == EAGAIN)
			tick(data);
		if (sig <= 0 || sig == SIGCHLD)
			continue;
		caught = sig;
		kill(pid, sig);
	}
	if (ret < 0)
		return -1;
	if (!caught && WIFSIGNALED(*status) && sigismember(&ending, WTERMSIG(*status)))
		caught = WTERMSIG(*status);
	/* sigtimedwait() has consumed the signal: raise it again, for hold_end(). */
	if (caught)
		raise(caught);
	return 0;
}

/* Is the child over within the time? Passes on what comes meanwhile, and adds it to caught. */
static pid_t wait_until(pid_t pid, int *status, time_t end, bool alone, int *caught)
{
	struct timespec now, left = { 0 };
	sigset_t set = ending;
	pid_t ret;
	int sig;

	if (alone)
		sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	while (!(ret = waitpid(pid, status, WNOHANG))) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec >= end)
			return 0;
		left.tv_sec = end - now.tv_sec;
		sig = sigtimedwait(&set, NULL, &left);
		if (sig <= 0 || sig == SIGCHLD)
			continue;
		*caught = sig;
		kill(-pid, sig);
	}
	return ret;
}

/* How long a group that has been told to end may take for it. */
#define GRACE_SECONDS 2

int hold_wait_group(pid_t pid, int *status, unsigned int seconds, bool alone)
{
	struct timespec now;
	int caught = 0;
	pid_t ret;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ret = wait_until(pid, status, now.tv_sec + (time_t)seconds, alone, &caught);
	if (!ret) {
		kill(-pid, SIGTERM);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (!wait_until(pid, status, now.tv_sec + GRACE_SECONDS, alone, &caught)) {
			kill(-pid, SIGKILL);
			waitpid(pid, status, 0);
		}
		errno = ETIMEDOUT;
		ret = -1;
	}
	/* As in hold_wait(). */
	if (caught)
		raise(caught);
	return ret < 0 ? -1 : 0;
}

static int run_child(int (*call)(const void *arg), const void *arg, pid_t parent)
{
	hold_child();
	/* If nobody waits any more, a wait in the kernel is to end, too, and undo what it has begun. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return getppid() == parent ? call(arg) : -EINTR;
}

int hold_run(int (*call)(const void *arg), const void *arg)
{
	pid_t parent = getpid(), pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (!pid)
		_exit(-run_child(call, arg, parent));
	if (pid < 0 || hold_wait(pid, &status, NULL, NULL))
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}
