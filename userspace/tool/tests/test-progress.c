// SPDX-License-Identifier: GPL-2.0-only
/*
 * The line of something long: rate, time that is left, and where it is shown.
 */
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "progress-show.h"
#include "test.h"
#include "util.h"

#define MIB (1024 * 1024UL)
#define GIB (1024 * MIB)

static void expect(const struct progress *progress, const char *wanted)
{
	char *line = progress_line(progress);

	assert_string_equal(line, wanted);
	free(line);
}

static void rates(void **state)
{
	struct progress p = { .name = "vm1", .what = "stream", .done = GIB, .total = 4 * GIB };

	(void)state;
	expect(&p, "vm1: stream  25.0%  1G of 4G  --/s  --:-- left");
	p.rate = 0.5;
	expect(&p, "vm1: stream  25.0%  1G of 4G  --/s  --:-- left");
	p.rate = 1024;
	expect(&p, "vm1: stream  25.0%  1G of 4G  1K/s  873:48:48 left");
	p.rate = 100 * MIB + 512 * 1024;
	expect(&p, "vm1: stream  25.0%  1G of 4G  100.5M/s  00:30 left");
	p.done = 0;
	expect(&p, "vm1: stream   0.0%  0B of 4G  100.5M/s  00:40 left");
	/* Nearly all is not all. */
	p.done = 4 * GIB - 4096;
	expect(&p, "vm1: stream  99.9%  4.0G of 4G  100.5M/s  00:00 left");
	p.done = 4 * GIB;
	expect(&p, "vm1: stream 100.0%  4G of 4G  100.5M/s  00:00 left");
	p.rate = 0;
	expect(&p, "vm1: stream 100.0%  4G of 4G  --/s  00:00 left");
	/* more than there was to do, and a disk of nothing */
	p.done = 5 * GIB;
	expect(&p, "vm1: stream 100.0%  5G of 4G  --/s  00:00 left");
	p.done = p.total = 0;
	expect(&p, "vm1: stream 100.0%  0B of 0B  --/s  00:00 left");
}

static void hours(void **state)
{
	struct progress p = { .name = "x", .what = "commit", .total = 3600 * MIB, .rate = 1 * MIB };

	(void)state;
	expect(&p, "x: commit   0.0%  0B of 3.5G  1M/s  1:00:00 left");
	p.total -= MIB;
	expect(&p, "x: commit   0.0%  0B of 3.5G  1M/s  59:59 left");
	p.total = 999 * 3600 * MIB;
	expect(&p, "x: commit   0.0%  0B of 3.4T  1M/s  999:00:00 left");
	p.total = 1000 * 3600 * MIB;
	expect(&p, "x: commit   0.0%  0B of 3.4T  1M/s  --:-- left");
	p.total = UINT64_MAX - 1;
	expect(&p, "x: commit   0.0%  0B of 16E  1M/s  --:-- left");
}

static void unknown_total(void **state)
{
	struct progress p = { .name = "new.qcow2", .what = "create", .done = 12 * MIB, .total = PROGRESS_UNKNOWN, .elapsed = 3 };

	(void)state;
	expect(&p, "new.qcow2: create  12M  --/s  after 00:03");
	p.rate = 2 * MIB;
	p.elapsed = 3723;
	expect(&p, "new.qcow2: create  12M  2M/s  after 1:02:03");
	p.stalled = 9;
	expect(&p, "new.qcow2: create  12M  nothing for 00:09");
}

static void stalls(void **state)
{
	struct progress p = { .name = "vm1", .what = "stream", .done = 1, .total = 2, .rate = 1, .stalled = 4 };

	(void)state;
	expect(&p, "vm1: stream  50.0%  1B of 2B  1B/s  00:01 left");
	p.stalled = 5;
	expect(&p, "vm1: stream  50.0%  1B of 2B  nothing for 00:05");
	p.stalled = 3600;
	expect(&p, "vm1: stream  50.0%  1B of 2B  nothing for 1:00:00");
	/* It is known why. */
	p.state = "paused";
	expect(&p, "vm1: stream  50.0%  1B of 2B  paused");
	p.state = NULL;
	p.done = 2;
	expect(&p, "vm1: stream 100.0%  2B of 2B  1B/s  00:00 left");
}

static bool near(double a, double b)
{
	return a - b < 0.001 && b - a < 0.001;
}

static void meter(void **state)
{
	struct progress_meter m = { 0 };

	(void)state;
	assert_int_equal(progress_stalled(&m, 1000), 0);
	progress_measure(&m, 1000, 5 * MIB);
	assert_true(near(m.rate, 0));
	progress_measure(&m, 1002, 25 * MIB);
	assert_true(near(m.rate, 10 * MIB));
	/* smoothed */
	progress_measure(&m, 1003, 45 * MIB);
	assert_true(near(m.rate, 0.3 * 20 * MIB + 0.7 * 10 * MIB));
	/* too close to count, but not lost */
	progress_measure(&m, 1003.1, 46 * MIB);
	assert_true(near(m.rate, 13 * MIB));
	progress_measure(&m, 1004, 46 * MIB);
	assert_true(near(m.rate, 0.3 * 1 * MIB + 0.7 * 13 * MIB));
	assert_int_equal(progress_stalled(&m, 1004.5), 0);
	/* nothing */
	progress_measure(&m, 1010, 46 * MIB);
	assert_int_equal(progress_stalled(&m, 1010.5), 6);
	/* another pass: not a huge rate, nor a stall */
	m.rate = MIB;
	progress_measure(&m, 1011, 3 * MIB);
	assert_true(near(m.rate, MIB));
	assert_int_equal(progress_stalled(&m, 1012), 1);
	progress_measure(&m, 1013, 5 * MIB);
	assert_true(near(m.rate, MIB));
	/* a clock that stands still */
	progress_measure(&m, 1013, 50 * MIB);
	assert_true(near(m.rate, MIB));
}

/* ---- where it is shown ---- */

static char got[4096];

/* Show twice, with a message between, on @fd as stderr. */
static void show_on(int fd, bool quiet, const char *name)
{
	struct progress p = { .name = name, .what = "stream", .done = 1, .total = 4 };
	int old = dup(STDERR_FILENO);
	struct progress_show show;

	dup2(fd, STDERR_FILENO);
	progress_begin(&show, quiet);
	progress_show(&show, &p, false);
	/* too early, however slow this machine is */
	show.printed += 3600;
	p.done = 3;
	progress_show(&show, &p, false);
	cc_note("hello");
	p.done = 2;
	p.state = "x";
	progress_show(&show, &p, true);
	progress_end(&show);
	dup2(old, STDERR_FILENO);
	close(old);
}

static void no_terminal(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	show_on(fds[1], false, "vm1");
	close(fds[1]);
	got[read(fds[0], got, sizeof(got) - 1)] = '\0';
	close(fds[0]);
	assert_string_equal(got, "cowchain: note: hello\n");
}

/* All that was written: a terminal passes it on in pieces, in its own time; EIO says that there is no more. */
static void read_all(int master)
{
	size_t length = 0;
	ssize_t n;

	while ((n = read(master, got + length, sizeof(got) - 1 - length)) > 0)
		length += (size_t)n;
	got[length] = '\0';
}

static void on_terminal(const char *name, unsigned short columns, bool quiet, const char *wanted)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	struct winsize size = { .ws_col = columns, .ws_row = 24 };

	if (master < 0)
		skip();
	grantpt(master);
	unlockpt(master);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	ioctl(slave, TIOCSWINSZ, &size);
	show_on(slave, quiet, name);
	close(slave);
	read_all(master);
	close(master);
	assert_string_equal(got, wanted);
}

static void terminal(void **state)
{
	(void)state;
	setenv("NO_COLOR", "1", 1);
	on_terminal("vm1", 100, false,
		    "\rvm1: stream  25.0%  1B of 4B  --/s  --:-- left\r\ncowchain: note: hello\r\n"
		    "\rvm1: stream  50.0%  2B of 4B  x               \r\n");
	unsetenv("NO_COLOR");
	on_terminal("vm1", 100, false,
		    "\rvm1: stream  25.0%  1B of 4B  --/s  --:-- left\r\ncowchain: note: hello\r\n"
		    "\rvm1: stream  50.0%  2B of 4B  x               \r\n");
	on_terminal("vm1", 100, true, "cowchain: note: hello\r\n");
	/* one column is left free, and nothing is wrapped */
	on_terminal("vm1", 20, false, "\rvm1: stream  25.0% \r\ncowchain: note: hello\r\n\rvm1: stream  50.0% \r\n");
	/* characters count, not bytes, and wide ones twice; no character is cut */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return;
	on_terminal("\xc3\xa9\xc3\xa9", 4, false, "\r\xc3\xa9\xc3\xa9:\r\ncowchain: note: hello\r\n\r\xc3\xa9\xc3\xa9:\r\n");
	on_terminal("\xe6\xbc\xa2\xe6\xbc\xa2", 4, false, "\r\xe6\xbc\xa2\r\ncowchain: note: hello\r\n\r\xe6\xbc\xa2\r\n");
	setlocale(LC_CTYPE, "C");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates),
		cmocka_unit_test(hours),
		cmocka_unit_test(unknown_total),
		cmocka_unit_test(stalls),
		cmocka_unit_test(meter),
		cmocka_unit_test(no_terminal),
		cmocka_unit_test(terminal),
	};

	return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
