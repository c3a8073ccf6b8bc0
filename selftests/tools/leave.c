// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a helper that runs inside the shell returns to it, and starts a program of its own.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "leave.h"

static jmp_buf out;

void leave(int status)
{
	fflush(stdout);
	longjmp(out, status + 1);
}

int call_main(int (*entry)(int argc, char **argv), int argc, char **argv)
{
	int rc = setjmp(out);

	return rc ? rc - 1 : entry(argc, argv);
}

/* Without SIGCHLD: the shell would collect the child. */
int run_real(char **argv)
{
	sigset_t chld;
	sigset_t old;
	int status = 0;
	pid_t pid;

	fflush(stdout);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, &old);
	pid = fork();
	if (!pid) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		/* a shell in the background is what gets killed */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		execvp(argv[0], argv);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (pid < 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
