// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parsing and formatting of the texts of the target, and of the tails in them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "macros.h"
#include "tail.h"
#include "target.h"
#include "test.h"

static void tables_come_back(void **state)
{
	static const char *const lines[] = {
		"0 1 raw 7:0 -",
		"0 3 raw 7:0 - qcow2 7:1 - qcow2 7:2 -",
		"1 no_discard_passdown 2 qcow2 7:0 7:1 qcow2 253:3 /dev/mapper/data",
		"3 no_discard_passdown commit_ms 500 1 qcow2 /dev/vda -",
	};
	struct table t;
	char *line;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_int_equal(table_parse(lines[i], &t), 0);
		line = table_format(&t);
		assert_string_equal(line, lines[i]);
		free(line);
		table_free(&t);
	}
	assert_int_equal(table_parse(lines[2], &t), 0);
	assert_int_equal(t.nr_layers, 2);
	assert_int_equal(t.layers[0].kind, KIND_QCOW2);
	assert_string_equal(t.layers[0].data, "7:1");
	table_free(&t);
}

/* Each layer, and each data file, may have a tail. */
static void tables_with_tails(void **state)
{
	struct table t = { 0 }, back;
	struct tail tail = { .len = TAIL_MAX }, found;
	unsigned int i;
	char *line;

	(void)state;
	t.layers = calloc(TARGET_MAX_LAYERS, sizeof(*t.layers));
	t.nr_layers = TARGET_MAX_LAYERS;
	table_add_feature(&t, strdup("no_auto_resume"));
	for (i = 0; i < TARGET_MAX_LAYERS; i++) {
		t.layers[i].kind = KIND_QCOW2;
		t.layers[i].dev = strdup("7:1");
		t.layers[i].data = strdup("7:2");
		memset(tail.bytes, (int)i, sizeof(tail.bytes));
		tail_add(&t, i, false, &tail);
		memset(tail.bytes, (int)~i, sizeof(tail.bytes));
		tail_add(&t, i, true, &tail);
	}
	tail.len = 0;
	tail_add(&t, 3, true, &tail);
	line = table_format(&t);
	assert_int_equal(table_parse(line, &back), 0);
	free(line);
	assert_int_equal(back.nr_features, 1 + 6 * TARGET_MAX_LAYERS);
	assert_true(table_has_feature(&back, "no_auto_resume"));
	for (i = 0; i < TARGET_MAX_LAYERS; i++) {
		tail_find(&back, i, i & 1, &found);
		assert_int_equal(found.len, TAIL_MAX);
		assert_int_equal(found.bytes[0], i & 1 ? (uint8_t)~i : i);
		assert_int_equal(found.bytes[TAIL_MAX - 1], found.bytes[0]);
	}
	table_free(&t);
	table_free(&back);
}

static void tails(void **state)
{
	struct table t = { 0 };
	struct tail tail;
	char buf[2048];
	int fd;

	(void)state;
	assert_int_equal(table_parse("6 tail 0 00ff1a data_tail 1 0b 2 raw 7:0 - qcow2 7:1 7:2", &t), 0);
	tail_find(&t, 0, false, &tail);
	assert_int_equal(tail.len, 3);
	assert_memory_equal(tail.bytes, "\0\xff\x1a", 3);
	tail_find(&t, 0, true, &tail);
	assert_int_equal(tail.len, 0);
	tail_find(&t, 1, true, &tail);
	assert_int_equal(tail.len, 1);
	table_free(&t);

	/* behind a device of 1024 bytes */
	memset(buf, 'd', sizeof(buf));
	write_file("device", buf, 1024);
	fd = open("device", O_RDONLY);
	tail = (struct tail){ .len = 5, .bytes = "tail!" };
	assert_int_equal(tail_pread(fd, 1024, &tail, buf, 512, 0), 512);
	assert_int_equal(tail_pread(fd, 1024, &tail, buf, 2048, 0), 1029);
	assert_memory_equal(buf + 1023, "dtail!", 6);
	assert_int_equal(tail_pread(fd, 1024, &tail, buf, 3, 1024), 3);
	assert_memory_equal(buf, "tai", 3);
	assert_int_equal(tail_pread(fd, 1024, &tail, buf, 9, 1026), 3);
	assert_memory_equal(buf, "il!", 3);
	assert_int_equal(tail_pread(fd, 1024, &tail, buf, 9, 1030), 0);
	tail.len = 0;
	assert_int_equal(tail_pread(fd, 1024, &tail, buf, 2048, 512), 512);
	close(fd);
	/* of a file that was cut off meanwhile */
	fd = open("device", O_RDONLY);
	assert_int_equal(tail_read(&tail, fd, 1023), 0);
	assert_int_equal(tail.len, 511);
	assert_int_equal(tail_read(&tail, fd, 1030), -EIO);
	close(fd);
}

static void bad_tables(void **state)
{
	static const char *const lines[] = {
		"", "0", "x", "0 0", "0 256 raw 7:0 -", "0 1", "0 1 raw", "0 1 raw 7:0",
		"0 1 vmdk 7:0 -", "0 2 raw 7:0 -", "2 0 1 raw 7:0 -", "-1 1 raw 7:0 -",
		"99 a b c", "0 -1 raw 7:0 -",
	};
	struct table t;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_int_not_equal(table_parse(lines[i], &t), 0);
		assert_int_equal(t.nr_layers, 0);
		assert_null(t.layers);
	}
}

static void status_without_job(void **state)
{
	struct target_status st;

	(void)state;
	assert_int_equal(status_parse("rw 3 8 17/25600 0", &st), 0);
	assert_string_equal(st.mode, "rw");
	assert_int_equal(st.nr_layers, 3);
	assert_int_equal(st.subcluster, 4096);
	assert_true(st.counted);
	assert_int_equal(st.allocated, 17);
	assert_int_equal(st.total, 25600);
	assert_false(st.job.present);

	assert_int_equal(status_parse("fail 255 16 -/4 0", &st), 0);
	assert_false(st.counted);
	assert_int_equal(st.total, 4);

	/* Before the first resume. */
	assert_int_equal(status_parse("rw 2 - -/- 0", &st), 0);
	assert_false(st.counted);
	assert_int_equal(st.total, 0);
}

static void status_with_job(void **state)
{
	struct target_status st;

	(void)state;
	assert_int_equal(status_parse("rw 4 8 1/2 8 stream running 0 1048576 4194304 65536 ok 0", &st),
			 0);
	assert_true(st.job.present);
	assert_string_equal(st.job.type, "stream");
	assert_int_equal(st.job.base, 0);
	assert_int_equal(st.job.offset, 1048576);
	assert_int_equal(st.job.len, 4194304);
	assert_int_equal(st.job.speed, 65536);
	assert_int_equal(st.job.top, -1);
	assert_true(job_percent(&st.job) == 25.0);
	assert_false(job_concluded(&st.job));
	assert_false(job_stopped_by_error(&st.job));
	assert_false(st.job.verify);

	assert_int_equal(status_parse("rw 4 8 1/2 9 stream running 0 1 4 0 ok 0 -", &st), 0);
	assert_false(st.job.verify);
	assert_int_equal(status_parse("rw 4 8 1/2 9 commit concluded 0 4 4 0 ok 0 0", &st), 0);
	assert_true(st.job.verify);
	assert_int_equal(st.job.verified, 0);
	assert_int_equal(status_parse("rw 4 8 1/2 9 commit running 0 1 4 0 ok 0 8192", &st), 0);
	assert_int_equal(st.job.verified, 8192);

	assert_int_equal(status_parse("ro 4 8 1/2 8 stream paused - 0 0 0 nospace 28", &st), 0);
	assert_int_equal(st.job.base, -1);
	assert_int_equal(st.job.error, 28);
	assert_true(job_stopped_by_error(&st.job));
	assert_true(job_percent(&st.job) == 100.0);

	assert_int_equal(status_parse("rw 4 8 1/2 10 stream paused - 0 1 0 ok 0 - 2", &st), 0);
	assert_int_equal(st.job.top, 2);
	assert_false(job_stopped_by_error(&st.job));
	assert_int_equal(status_parse("rw 4 8 1/2 8 stream concluded - 1 1 0 ok 0", &st), 0);
	assert_true(job_concluded(&st.job));
}

/* Later versions may add words at the end of the job and of the line. */
static void status_of_the_future(void **state)
{
	struct target_status st;

	(void)state;
	assert_int_equal(status_parse("rw 1 8 0/2 11 stream ready 0 1 2 0 ok 0 - 3 new", &st), 0);
	assert_int_equal(st.job.len, 2);
	assert_int_equal(st.job.top, 3);
	assert_int_equal(status_parse("rw 1 8 0/2 0 more words", &st), 0);
}

static void bad_status(void **state)
{
	static const char *const lines[] = {
		"", "rw", "rw 1 8 2 0", "rw x 8 1/2 0", "rw 1 8 1/2", "rw 1 8 1/2 7 a b c d e f g",
		"rw 1 8 1/2 8 stream running 0 1 2 3 ok", "rw 1 8 1/2 10 stream running 0 1 2 3 ok 0 -",
		"rw 1 8 1/2 10 stream running 0 1 2 3 ok 0 - x", "rw 1 8 1/2 8 stream running x 1 2 3 ok 0",
		"rw 1 8 x/2 0", "rw 1 8 1/x 0", "rw 1 x 1/2 0", "rw 1 4294967296 1/2 0", "muchtoolongmode 1 8 1/2 0",
		"rw 1 8 1/2 8 stream running 0 -1 2 3 ok 0", "rw 1 8 1/2 -",
		"rw 1 8 1/2 9 stream running 0 1 2 3 ok 0", "rw 1 8 1/2 9 stream running 0 1 2 3 ok 0 x",
		"rw 1 8 1/2 8 astreamwithaverylongname running 0 1 2 3 ok 0",
	};
	struct target_status st;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_not_equal(status_parse(lines[i], &st), 0);
}

/*
 * isspace() of the kernel is for Latin-1, whose no-break space is a byte of many UTF-8 characters.
 */
static bool kernel_blank(char c)
{
	return strchr(" \t\n\v\f\r\xa0", c);
}

/* The same as dm_split_args() of device-mapper, to test quoting against its inverse. */
static int split(char *in, char *out[], int max)
{
	int n = 0;
	char *end;

	while (n < max) {
		while (*in && kernel_blank(*in))
			in++;
		if (!*in)
			break;
		out[n++] = end = in;
		while (*in && !kernel_blank(*in)) {
			if (*in == '\\' && in[1])
				in++;
			*end++ = *in++;
		}
		if (*in)
			in++;
		*end = '\0';
	}
	return n;
}

static void messages_are_quoted(void **state)
{
	const char *const words[] = { "stream", "backing-file", "my base\\x\ty.raw", "raw",
				      "\303\240/\320\240.raw", NULL };
	const char *const plain[] = { "base", "none", NULL };
	const char *const nothing[] = { NULL };
	char *message = message_join(words);
	char *back[8];
	int i;

	(void)state;
	assert_int_equal(split(message, back, 8), 5);
	for (i = 0; i < 5; i++)
		assert_string_equal(back[i], words[i]);
	free(message);
	message = message_join(plain);
	assert_string_equal(message, "base none");
	free(message);
	message = message_join(nothing);
	assert_string_equal(message, "");
	free(message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_come_back),
		cmocka_unit_test(tables_with_tails),
		cmocka_unit_test(tails),
		cmocka_unit_test(bad_tables),
		cmocka_unit_test(status_without_job),
		cmocka_unit_test(status_with_job),
		cmocka_unit_test(status_of_the_future),
		cmocka_unit_test(bad_status),
		cmocka_unit_test(messages_are_quoted),
	};

	return cmocka_run_group_tests_name("target", tests, scratch_setup, scratch_teardown);
}
