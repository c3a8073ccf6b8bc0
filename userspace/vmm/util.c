// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages and eventfds.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rate.h"
#include "util.h"

/* How long to wait for stderr to become writable. */
#define SAY_MS	1000

/*
 * A message that cannot be written is dropped: at the end, with signals blocked, it would keep the
 * launcher from ending, and in the thread of a disk it would keep the disk from being flushed.
 */
static bool can_say(void)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&p, 1, SAY_MS) > 0;
}

static void say_prefixed(const char *fmt, va_list ap, const char *tail)
{
	char line[512];
	int n;

	/*
	 * A single write: lines of several threads, and of the console of the guest, are not mixed.
	 */
	n = snprintf(line, sizeof(line), "cowchain-vm: ");
	n += vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	if (n > (int)sizeof(line) - 1)
		n = sizeof(line) - 1;
	n += snprintf(line + n, sizeof(line) - n, "%s%s\n", tail ? ": " : "", tail ?: "");
	if (n > (int)sizeof(line) - 1)
		n = sizeof(line) - 1;
	if (can_say() && write(STDERR_FILENO, line, n) < 0)
		return;
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_prefixed(fmt, ap, NULL);
	va_end(ap);
}

static pthread_mutex_t guest_lock = PTHREAD_MUTEX_INITIALIZER;
static struct rate own_rate;
static struct rate *guest_rate = &own_rate;

int say_share_limit(void)
{
	void *page;

	if (guest_rate != &own_rate)
		return 0;
	page = mmap(NULL, sizeof(*guest_rate), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return say_errno(errno, "cannot share the limit of messages");
	guest_rate = page;
	return 0;
}

/* The lock is not held while the line is written, which may take a second. */
void say_guest(const char *fmt, ...)
{
	unsigned int left_out = 0;
	bool permitted;
	va_list ap;

	pthread_mutex_lock(&guest_lock);
	permitted = rate_permits(guest_rate, in_ms(0).tv_sec, &left_out);
	pthread_mutex_unlock(&guest_lock);
	if (!permitted)
		return;
	if (left_out)
		say("%u more messages that the guest caused were left out", left_out);
	va_start(ap, fmt);
	say_prefixed(fmt, ap, NULL);
	va_end(ap);
}

void say_left_out(void)
{
	unsigned int n;

	pthread_mutex_lock(&guest_lock);
	n = guest_rate->refused;
	guest_rate->refused = 0;
	pthread_mutex_unlock(&guest_lock);
	if (n)
		say("%u more messages that the guest caused were left out", n);
}

int say_errno(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_prefixed(fmt, ap, strerror(err));
	va_end(ap);
	return -err;
}

struct timespec in_ms(unsigned int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_nsec -= 1000000000L;
		t.tv_sec++;
	}
	return t;
}

void event_signal(int fd)
{
	uint64_t one = 1;

	/* Fails only if the counter is full: then the reader wakes up anyway. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

void event_clear(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return;
}
