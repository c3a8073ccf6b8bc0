// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parsing and formatting of the texts of the target.
 */
#include <stdlib.h>
#include <string.h>

#include "macros.h"
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
	assert_true(job_percent(&st.job) == 25.0);
	assert_false(job_concluded(&st.job));
	assert_false(job_stopped_by_error(&st.job));

	assert_int_equal(status_parse("ro 4 8 1/2 8 stream paused - 0 0 0 nospace 28", &st), 0);
	assert_int_equal(st.job.base, -1);
	assert_int_equal(st.job.error, 28);
	assert_true(job_stopped_by_error(&st.job));
	assert_true(job_percent(&st.job) == 100.0);

	assert_int_equal(status_parse("rw 4 8 1/2 8 stream paused - 0 1 0 ok 0", &st), 0);
	assert_false(job_stopped_by_error(&st.job));
	assert_int_equal(status_parse("rw 4 8 1/2 8 stream concluded - 1 1 0 ok 0", &st), 0);
	assert_true(job_concluded(&st.job));
}

/* Later versions may add words at the end of the job and of the line. */
static void status_of_the_future(void **state)
{
	struct target_status st;

	(void)state;
	assert_int_equal(status_parse("rw 1 8 0/2 9 stream ready 0 1 2 0 ok 0 new", &st), 0);
	assert_int_equal(st.job.len, 2);
	assert_int_equal(status_parse("rw 1 8 0/2 0 more words", &st), 0);
}

static void bad_status(void **state)
{
	static const char *const lines[] = {
		"", "rw", "rw 1 8 2 0", "rw x 8 1/2 0", "rw 1 8 1/2", "rw 1 8 1/2 7 a b c d e f g",
		"rw 1 8 1/2 8 stream running 0 1 2 3 ok", "rw 1 8 1/2 8 stream running x 1 2 3 ok 0",
		"rw 1 8 x/2 0", "rw 1 8 1/x 0", "rw 1 x 1/2 0", "rw 1 4294967296 1/2 0", "muchtoolongmode 1 8 1/2 0",
		"rw 1 8 1/2 8 stream running 0 -1 2 3 ok 0", "rw 1 8 1/2 -",
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
		cmocka_unit_test(bad_tables),
		cmocka_unit_test(status_without_job),
		cmocka_unit_test(status_with_job),
		cmocka_unit_test(status_of_the_future),
		cmocka_unit_test(bad_status),
		cmocka_unit_test(messages_are_quoted),
	};

	return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
