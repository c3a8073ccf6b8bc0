// SPDX-License-Identifier: GPL-2.0-only
/*
 * dm-signal.so: a program that is started with LD_PRELOAD=dm-signal.so gets a signal right before its
 * DM_SIGNAL_STEP-th call of device-mapper (from 1), and with it its process group, as from a terminal.
 * DM_SIGNAL is its number. Then the file that DM_SIGNAL_SENT names exists.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

int ioctl(int fd, unsigned long request, ...);

/* Common to the program and its children; NULL without memory: then nothing is sent. */
static int *step;

static void __attribute__((constructor)) init(void)
{
	step = mmap(NULL, sizeof(*step), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (step == MAP_FAILED)
		step = NULL;
}

static void before_call(void)
{
	const char *at = getenv("DM_SIGNAL_STEP"), *sig = getenv("DM_SIGNAL");
	const char *sent = getenv("DM_SIGNAL_SENT");
	int fd;

	if (!step || !at || !sig || !sent || __atomic_add_fetch(step, 1, __ATOMIC_SEQ_CST) != atoi(at))
		return;
	fd = open(sent, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	kill(0, atoi(sig));
}

int ioctl(int fd, unsigned long request, ...)
{
	static int (*real)(int fd, unsigned long request, void *arg);
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!real)
		real = (int (*)(int, unsigned long, void *))dlsym(RTLD_NEXT, "ioctl");
	if (_IOC_TYPE(request) == DM_IOCTL && request != DM_VERSION)
		before_call();
	return real(fd, request, arg);
}
