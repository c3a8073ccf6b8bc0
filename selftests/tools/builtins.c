// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The helpers, and the commonest calls of dmsetup, as commands of bash itself: "enable -f builtins.so
 * cowio ...". Where instructions are emulated, most of a test's time would go into process starts.
 *
 * Each helper is its program's main(), compiled with -Dmain=NAME_main -Dexit=leave: the shell goes
 * on, and what main() left open is closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "builtins.h"

/* What bash's headers say about commands that are loaded. */
struct word_desc {
	char *word;
	int flags;
};

struct word_list {
	struct word_list *next;
	struct word_desc *word;
};

struct builtin {
	const char *name;
	int (*function)(struct word_list *list);
	int flags;
	const char *const *long_doc;
	const char *short_doc;
	char *handle;
};

#define BUILTIN_ENABLED	1
#define FIRST_FD	3
#define FDS		64	/* the shell's own are among these, or far above */

static const char *const no_doc[] = { NULL };
static jmp_buf out;

void leave(int status)
{
	fflush(stdout);
	longjmp(out, status + 1);
}

static uint64_t open_fds(void)
{
	uint64_t set = 0;
	int fd;

	for (fd = FIRST_FD; fd < FDS; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			set |= 1ULL << fd;
	return set;
}

static int call(int (*entry)(int argc, char **argv), int argc, char **argv)
{
	int rc = setjmp(out);

	return rc ? rc - 1 : entry(argc, argv);
}

static int run(const char *name, int (*entry)(int argc, char **argv), struct word_list *list)
{
	uint64_t before = open_fds();
	struct word_list *l;
	uint64_t left;
	char **argv;
	int argc = 1;
	int rc;

	for (l = list; l; l = l->next)
		argc++;
	argv = calloc(argc + 1, sizeof(*argv));
	if (!argv)
		return 2;
	argv[0] = (char *)name;
	for (argc = 1, l = list; l; l = l->next)
		argv[argc++] = l->word->word;
	optind = 0;
	rc = call(entry, argc, argv);
	fflush(stdout);
	for (left = open_fds() & ~before; left; left &= left - 1)
		close(__builtin_ctzll(left));
	free(argv);
	return rc;
}

/* The shell would collect the child if it heard of its end. */
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

#define BUILTIN(cmd)							\
static int run_##cmd(struct word_list *list)				\
{									\
	return run(#cmd, cmd##_main, list);				\
}									\
									\
__attribute__((visibility("default"))) struct builtin cmd##_struct = {	\
	.name = #cmd,							\
	.function = run_##cmd,						\
	.flags = BUILTIN_ENABLED,					\
	.long_doc = no_doc,						\
	.short_doc = #cmd,						\
};

#include "builtins-list.h"
