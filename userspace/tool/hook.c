// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the hook of a snapshot.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hold.h"
#include "hook.h"
#include "util.h"

/* In a process group of its own, so that all that it has started can be ended. */
static void run_command(const char *command, const char *word)
{
	setpgid(0, 0);
	hold_child();
	execl("/bin/sh", "sh", "-c", command, "cowchain-hook", word, (char *)NULL);
	_exit(127);
}

static int judge(const struct hook *hook, const char *word, int err, int status)
{
	if (err == ETIMEDOUT)
		cc_error("the hook '%s' has not ended after %u seconds: '%s'", word, hook->seconds, hook->command);
	else if (err)
		cc_error("the hook '%s': %s: '%s'", word, strerror(err), hook->command);
	else if (WIFSIGNALED(status))
		cc_error("the hook '%s' was ended by signal %d: '%s'", word, WTERMSIG(status), hook->command);
	else if (WEXITSTATUS(status))
		cc_error("the hook '%s' has failed with status %d: '%s'", word, WEXITSTATUS(status), hook->command);
	else
		return 0;
	return -1;
}

int hook_run(const struct hook *hook, bool thaw)
{
	const char *word = thaw ? "thaw" : "freeze";
	int status = 0, err = 0;
	pid_t pid;

	if (!hook->command)
		return 0;
	fflush(NULL);
	pid = fork();
	if (!pid)
		run_command(hook->command, word);
	/* Also here: the group must be there when it gets a signal. */
	if (pid > 0)
		setpgid(pid, pid);
	if (pid < 0 || hold_wait_group(pid, &status, hook->seconds, thaw))
		err = errno;
	return judge(hook, word, err, status);
}
