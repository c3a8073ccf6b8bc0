// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parts of a disk in the order in which they were read, and the lines of the trace that tell.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "macros.h"
#include "parts.h"
#include "reads.h"
#include "test.h"

static void expect(struct parts *parts, const char *wanted)
{
	char got[1024] = "";
	size_t i;

	for (i = 0; i < parts->nr; i++)
		sprintf(got + strlen(got), "%d+%d ", (int)parts->part[i].offset, (int)parts->part[i].length);
	assert_string_equal(got, wanted);
}

static void order(void **state)
{
	struct parts parts = { 0 };

	(void)state;
	assert_int_equal(parts_add(&parts, 100, 10), 10);
	assert_int_equal(parts_add(&parts, 50, 10), 10);
	/* again, whole and in part */
	assert_int_equal(parts_add(&parts, 100, 10), 0);
	assert_int_equal(parts_add(&parts, 55, 3), 0);
	expect(&parts, "100+10 50+10 ");
	/* on, from where the last one ends */
	assert_int_equal(parts_add(&parts, 60, 5), 5);
	assert_int_equal(parts_add(&parts, 58, 12), 5);
	expect(&parts, "100+10 50+20 ");
	/* not on from another one */
	assert_int_equal(parts_add(&parts, 110, 1), 1);
	expect(&parts, "100+10 50+20 110+1 ");
	/* over all of them: what is missing, in pieces */
	assert_int_equal(parts_add(&parts, 0, 200), 50 + 30 + 89);
	expect(&parts, "100+10 50+20 110+1 0+50 70+30 111+89 ");
	assert_int_equal(parts.bytes, 200);
	assert_int_equal(parts_add(&parts, 0, 200), 0);
	assert_int_equal(parts_add(&parts, 7, 0), 0);
	parts_free(&parts);
}

/* Against a map of bytes. */
static void random_ones(void **state)
{
	struct parts parts = { 0 };
	char there[2000] = "";
	int round, i;
	size_t p;

	(void)state;
	srandom(1);
	for (round = 0; round < 3000; round++) {
		int from = (int)(random() % 1990), len = (int)(random() % 10), added = 0;

		for (i = from; i < from + len; i++) {
			added += !there[i];
			there[i] = 1;
		}
		assert_int_equal(parts_add(&parts, (uint64_t)from, (uint64_t)len), added);
	}
	for (p = 0; p < parts.nr; p++)
		for (i = 0; i < (int)parts.part[p].length; i++) {
			assert_int_equal(there[parts.part[p].offset + (uint64_t)i], 1);
			there[parts.part[p].offset + (uint64_t)i] = 0;
		}
	for (i = 0; i < (int)sizeof(there); i++)
		assert_int_equal(there[i], 0);
	parts_free(&parts);
}

static char path[] = "/tmp/cowchain-parts-XXXXXX";

static int load(struct parts *parts, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return parts_load(parts, path);
}

static void files(void **state)
{
	static const char *const bad[] = {
		"1\n", "x 1\n", "1 x\n", "1 2 3\n", "-1 2\n", "1 -2\n", "1 18446744073709551615\n", "0x1 2\n",
		"9223372036854775807 1\n", "1 2\n3\n",
		"1                                                                              2\n",
	};
	struct parts parts = { 0 };
	size_t i;

	(void)state;
	assert_int_equal(load(&parts, "# hello\n\n 5 6 \n0\t1\n  # 7\n2 1\r\n9 9"), 0);
	expect(&parts, "5+6 0+1 2+1 11+7 ");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(parts_load(&parts, path), -1);
	parts_free(&parts);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(load(&parts, bad[i]), -1);
		parts_free(&parts);
	}
	unlink(path);
}

/* No more of a line than is right is in memory, and no line is cut in two. */
static void long_lines(void **state)
{
	static char text[5000];
	struct parts parts = { 0 };

	(void)state;
	memset(text, '#', 1024);
	strcpy(text + 1024, "\n1 2\n");
	assert_int_equal(load(&parts, text), 0);
	expect(&parts, "1+2 ");
	parts_free(&parts);
	memset(text, '#', 1025);
	strcpy(text + 1025, "5 6\n1 2\n");
	quiet_begin();
	assert_int_equal(load(&parts, text), -1);
	assert_non_null(strstr(quiet_end(), "line 1 is too long"));
	memset(text, ' ', 4000);
	strcpy(text + 4000, "\n");
	quiet_begin();
	assert_int_equal(load(&parts, text), -1);
	assert_non_null(strstr(quiet_end(), "line 1 is too long"));
	unlink(path);
}

/* Nobody waits for the other end of a FIFO. */
static void other_kinds(void **state)
{
	static const char *const others[] = { path, "/dev/zero", "/" };
	struct parts parts = { 0 };
	size_t i;

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		quiet_begin();
		assert_int_equal(parts_load(&parts, others[i]), -1);
		assert_non_null(strstr(quiet_end(), "is no regular file"));
	}
	unlink(path);
}

/* What is printed can be read. */
static void print(void **state)
{
	struct parts parts = { 0 }, back = { 0 };
	FILE *f = fopen(path, "w");

	(void)state;
	parts_add(&parts, 4096, 512);
	parts_add(&parts, 0, 1024);
	assert_int_equal(parts_print(&parts, f), 0);
	fclose(f);
	assert_int_equal(parts_load(&back, path), 0);
	expect(&back, "4096+512 0+1024 ");
	parts_free(&parts);
	parts_free(&back);
	unlink(path);
	f = fopen("/dev/full", "w");
	assert_int_equal(parts_print(&parts, f), -1);
	fclose(f);
}

/* More than there is a place for are left out. */
static void many(void **state)
{
	struct parts parts = { 0 };
	FILE *f = fopen(path, "w");
	int i;

	(void)state;
	for (i = 0; i < 5000; i++)
		fprintf(f, "%d 1\n", 3 * i);
	fclose(f);
	quiet_begin();
	assert_int_equal(parts_load(&parts, path), 0);
	assert_non_null(strstr(quiet_end(), "the first 3072 parts are used, and those from line 3073 on are not"));
	assert_true(parts.full);
	assert_int_equal(parts.nr, PARTS_MAX);
	assert_int_equal(parts.bytes, PARTS_MAX);
	assert_int_equal(parts.part[PARTS_MAX - 1].offset, 3 * (PARTS_MAX - 1));
	parts_free(&parts);
	unlink(path);
}

static void lines(void **state)
{
	static const char *const others[] = {
		"", "cowchain_map: ", "hello",
		" dd-1 [000] ..... 1.1: cowchain_fill: 254,0 8 + 8 error 0",
		" dd-1 [000] ..... 1.1: cowchain_map: 254,0 write 8 + 8 device layer 1 7,0",
		" dd-1 [000] ..... 1.1: cowchain_map: 254,0 read 8 + 8 zero layer 1 7,0",
		" dd-1 [000] ..... 1.1: cowchain_map: 254,0 read 8 + 8 hole layer -1 0,0",
		" dd-1 [000] ..... 1.1: cowchain_map: 254,0 read 8 + 8 worker layer -1 0,0",
		" dd-1 [000] ..... 1.1: cowchain_map: 254,0 read 8 + 0 device layer 1 7,0",
		" dd-1 [000] ..... 1.1: cowchain_map: 254,0 read x + 8 device layer 1 7,0",
		"CPU:0 [LOST 12 EVENTS]",
	};
	struct one_read one;
	size_t i;

	(void)state;
	assert_true(reads_parse("   dd-12  [001] .....   12.345678: cowchain_map: 254,3 read 2048 + 8 device layer 0 7,0",
				&one));
	assert_int_equal(one.offset, 2048 * 512);
	assert_int_equal(one.length, 4096);
	assert_int_equal(one.layer, 0);
	assert_true(reads_parse("x: cowchain_map: 254,3 read 0 + 1 packed layer 254 7,0", &one));
	assert_int_equal(one.layer, 254);
	assert_true(reads_parse("x: cowchain_map: 254,3 read 0 + 1 tail layer 2 7,0", &one));
	/* That is the name of a process. */
	assert_true(reads_parse(": cowchain_map: -1 [001] ... 12.3: cowchain_map: 254,3 read 8 + 1 tail layer 2 7,0",
				&one));
	assert_int_equal(one.offset, 4096);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		assert_false(reads_parse(others[i], &one));
}

/* Feed what has come, and take it. Returns how many reads that was. */
static unsigned int take_all(struct reads *reads, int trace, const char *text)
{
	struct one_read one;
	unsigned int nr = 0;

	assert_int_equal(write(trace, text, strlen(text)), strlen(text));
	while (reads_fill(reads))
		while (reads_next(reads, &one))
			nr++;
	return nr;
}

static void lost(void **state)
{
	struct reads *reads = calloc(1, sizeof(*reads));
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	reads->pipe = ends[0];
	/* a process of that name; and a line that comes in pieces */
	assert_int_equal(take_all(reads, ends[1], " [LOST 1 EVENTS]-1 [000] 1.1"
				  ": cowchain_map: 254,0 read 8 + 8 device layer 1 7,0\n"
				  "  x-1 [000] 1.1: cowchain_map: 254,0 read 8"), 1);
	assert_int_equal(take_all(reads, ends[1], " + 8 device layer 1 7,0\n"), 1);
	assert_false(reads->lost);
	assert_int_equal(take_all(reads, ends[1], "CPU:1 [LOST 1 EVENTS]\n"), 0);
	assert_true(reads->lost);
	close(ends[0]);
	close(ends[1]);
	free(reads);
}

/* However fast the other end is, each call comes back. */
static void bounded(void **state)
{
	static const char line[] = " x-1 [000] 1.1: cowchain_map: 254,0 write 8 + 8 device layer 1 7,0\n";
	struct reads *reads = calloc(1, sizeof(*reads));
	struct one_read one;
	int ends[2], left;

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4 * sizeof(reads->buf)) >= (int)(4 * sizeof(reads->buf)));
	reads->pipe = ends[0];
	while (write(ends[1], line, strlen(line)) > 0)
		;
	assert_true(reads_fill(reads));
	assert_false(reads_next(reads, &one));
	assert_int_equal(ioctl(ends[0], FIONREAD, &left), 0);
	assert_true(left > 0);
	close(ends[0]);
	close(ends[1]);
	free(reads);
}

static void stale(void **state)
{
	char name[64];
	pid_t pid;

	(void)state;
	snprintf(name, sizeof(name), "cowchain-reads-%d", (int)getpid());
	/* It was made by another one: this has none yet. */
	assert_true(reads_is_stale(name));
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	snprintf(name, sizeof(name), "cowchain-reads-%d", (int)pid);
	assert_false(reads_is_stale(name));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(reads_is_stale(name));
	assert_false(reads_is_stale("cowchain-reads-"));
	assert_false(reads_is_stale("cowchain-reads-0"));
	assert_false(reads_is_stale("cowchain-reads-99999999999"));
	assert_false(reads_is_stale(name + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order),
		cmocka_unit_test(random_ones),
		cmocka_unit_test(files),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(other_kinds),
		cmocka_unit_test(print),
		cmocka_unit_test(many),
		cmocka_unit_test(lines),
		cmocka_unit_test(lost),
		cmocka_unit_test(bounded),
		cmocka_unit_test(stale),
	};
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
