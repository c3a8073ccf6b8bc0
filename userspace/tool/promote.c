// SPDX-License-Identifier: GPL-2.0-only
/*
 * Follows what is read from below a stream, in a process of its own, and has the kernel copy that next. Nobody's I/O
 * waits for this, and nothing depends on it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dm.h"
#include "parts-send.h"
#include "promote.h"
#include "reads.h"
#include "util.h"

/* What is read next is probably near: so much is copied, and as much behind it. Bytes. */
#define PROMOTE_UNIT (256 * 1024ULL)

/* How often the trace is read, in milliseconds. */
#define PROMOTE_MS 50

/* As many in one go, so that those of a moment ago do not wait behind others. */
#define PROMOTE_MAX 256

struct wanted {
	char *asked;
	uint64_t units;
	struct part part[PROMOTE_MAX];
	size_t nr;
};

/* What is taken in one go of what the guest has read, so that signals are looked at. */
#define FILLS_MAX 64

static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
static volatile sig_atomic_t stop;

static void take_signal(int number)
{
	(void)number;
	stop = 1;
}

/* What was asked for before is not asked for again: it has been copied, or waits. A byte for each unit of the disk. */
static void ask_for(struct wanted *wanted, uint64_t unit)
{
	if (unit >= wanted->units || wanted->asked[unit] || wanted->nr == PROMOTE_MAX)
		return;
	wanted->asked[unit] = 1;
	wanted->part[wanted->nr++] = (struct part){ unit * PROMOTE_UNIT, PROMOTE_UNIT };
}

static void add(struct wanted *wanted, const struct one_read *one)
{
	uint64_t unit = one->offset / PROMOTE_UNIT, last = (one->offset + one->length - 1) / PROMOTE_UNIT + 1;

	for (; unit <= last && unit < wanted->units; unit++)
		ask_for(wanted, unit);
}

static void collect(struct reads *reads, struct wanted *wanted)
{
	unsigned int fills = 0;
	struct one_read one;

	do
		while (wanted->nr < PROMOTE_MAX && reads_next(reads, &one))
			add(wanted, &one);
	while (wanted->nr < PROMOTE_MAX && fills++ < FILLS_MAX && reads_fill(reads));
}

/* What the stream has not taken, as its queue is full, is asked for when it is read again. */
static void send(const struct promote *promote, struct wanted *wanted)
{
	size_t sent;

	/* Errors are of no interest: the stream does without. */
	parts_send(promote->name, wanted->part, wanted->nr, &sent);
	while (wanted->nr > sent)
		wanted->asked[wanted->part[--wanted->nr].offset / PROMOTE_UNIT] = 0;
	wanted->nr = 0;
}

/* No signal tells of a parent that has ended before prctl(). */
static bool wait_a_moment(const sigset_t *open, pid_t parent)
{
	struct timespec moment = { .tv_nsec = PROMOTE_MS * 1000000L };

	ppoll(NULL, 0, &moment, open);
	return !stop && getppid() == parent;
}

static void follow(const struct promote *promote, const sigset_t *open, pid_t parent)
{
	struct wanted wanted = { .units = promote->bytes / PROMOTE_UNIT + 1 };

	wanted.asked = xcalloc(wanted.units, 1);
	while (wait_a_moment(open, parent)) {
		collect(promote->reads, &wanted);
		send(promote, &wanted);
	}
	free(wanted.asked);
}

/*
 * The signals are blocked but while it waits: then they are as before. One that is ignored, as by nohup, remains so,
 * but for SIGTERM, by which the parent ends this.
 */
static void child(const struct promote *promote, const sigset_t *before, pid_t parent)
{
	struct sigaction action = { .sa_handler = take_signal }, old;
	sigset_t open = *before;
	size_t i;

	sigemptyset(&action.sa_mask);
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		if (signals[i] == SIGTERM || (!sigaction(signals[i], NULL, &old) && old.sa_handler != SIG_IGN))
			sigaction(signals[i], &action, NULL);
	sigdelset(&open, SIGTERM);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	follow(promote, &open, parent);
	/* The parent does so, too, but it may have ended. */
	reads_close(promote->reads);
	_exit(0);
}

/* In a child, no signal ends it before it can remove what it has. Returns as fork(). */
static pid_t start(const struct promote *promote)
{
	pid_t parent = getpid(), pid;
	sigset_t block, before;
	size_t i;

	sigemptyset(&block);
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&block, signals[i]);
	/* If it is ignored, a child that has ended leaves its number to others, and promote_end() ends one of these. */
	signal(SIGCHLD, SIG_DFL);
	fflush(NULL);
	sigprocmask(SIG_BLOCK, &block, &before);
	pid = fork();
	if (!pid)
		child(promote, &before, parent);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

int promote_open(struct promote *promote, const struct live *live)
{
	promote->name = live->dev.name;
	promote->bytes = live->dev.sectors * SECTOR_SIZE;
	promote->reads = xcalloc(1, sizeof(*promote->reads));
	if (!reads_open(promote->reads, live->dev.dev, (unsigned int)(promote->base + 1), (unsigned int)promote->top))
		return 0;
	free(promote->reads);
	promote->reads = NULL;
	return -1;
}

void promote_begin(struct promote *promote)
{
	if (!promote->reads)
		return;
	promote->pid = start(promote);
	if (promote->pid < 0)
		cc_note("%s: nothing is promoted: cannot start a process: %s", promote->name, strerror(errno));
	reads_leave(promote->reads);
}

void promote_end(struct promote *promote)
{
	if (promote->pid > 0) {
		kill(promote->pid, SIGTERM);
		while (waitpid(promote->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	promote->pid = 0;
	if (!promote->reads)
		return;
	/* It may have been killed. */
	reads_close(promote->reads);
	free(promote->reads);
	promote->reads = NULL;
}
