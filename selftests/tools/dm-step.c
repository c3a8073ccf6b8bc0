// SPDX-License-Identifier: GPL-2.0-only
/*
 * dm-step.so: for programs that are started with LD_PRELOAD=dm-step.so. Right before its DM_STEP-th call of
 * device-mapper (from 1),
 *
 *	DM_STEP_SIGNAL	is the number of a signal that it gets, and its process group, as from a terminal
 *	DM_STEP_DO	is a command of a shell that is run
 *	DM_STEP_DONE	is the name of a file that exists then
 *	DM_STEP_AFTER	if not empty: all this comes right after that call instead, before the
 *			program knows its result
 *
 * DM_STEP_LOG is the name of a file that gets a line for each call: its name and that of the device. So it
 * does for each fsync(), with the name of the file.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

int ioctl(int fd, unsigned long request, ...);

/* Common to the program and its children; NULL without memory: then nothing happens. */
static int *step;

static void __attribute__((constructor)) init(void)
{
	step = mmap(NULL, sizeof(*step), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (step == MAP_FAILED)
		step = NULL;
}

static void leave_mark(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
}

static void do_step(bool after)
{
	const char *at = getenv("DM_STEP"), *sig = getenv("DM_STEP_SIGNAL");
	const char *command = getenv("DM_STEP_DO"), *done = getenv("DM_STEP_DONE");
	const char *late = getenv("DM_STEP_AFTER");

	if (!step || !at || after != (late && *late) ||
	    __atomic_add_fetch(step, 1, __ATOMIC_SEQ_CST) != atoi(at))
		return;
	if (done)
		leave_mark(done);
	if (command) {
		unsetenv("LD_PRELOAD");
		if (system(command))
			fprintf(stderr, "dm-step: failed: %s\n", command);
	}
	if (sig)
		kill(0, atoi(sig));
}

static const char *name_of(unsigned long request, const struct dm_ioctl *arg)
{
	switch (request) {
	case DM_TABLE_STATUS:
		return arg->flags & DM_STATUS_TABLE_FLAG ? "table" : "status";
	case DM_TARGET_MSG:
		return "message";
	case DM_LIST_DEVICES:
		return "list";
	default:
		return "other";
	}
}

static void log_call(const char *call, const char *what)
{
	const char *path = getenv("DM_STEP_LOG");
	FILE *f = path ? fopen(path, "a") : NULL;

	if (!f)
		return;
	fprintf(f, "%s %s\n", call, what);
	fclose(f);
}

int fsync(int fd)
{
	static int (*real)(int fd);
	char link[32], path[4096];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	path[len < 0 ? 0 : len] = '\0';
	log_call("fsync", path);
	if (!real)
		real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
	return real(fd);
}

int ioctl(int fd, unsigned long request, ...)
{
	static int (*real)(int fd, unsigned long request, void *arg);
	int ret, err;
	va_list ap;
	bool is_step;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!real)
		real = (int (*)(int, unsigned long, void *))dlsym(RTLD_NEXT, "ioctl");
	is_step = _IOC_TYPE(request) == DM_IOCTL && request != DM_VERSION;
	if (is_step) {
		do_step(false);
		log_call(name_of(request, arg), ((struct dm_ioctl *)arg)->name);
	}
	ret = real(fd, request, arg);
	err = errno;
	if (is_step)
		do_step(true);
	errno = err;
	return ret;
}
