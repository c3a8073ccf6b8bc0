// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is shown of a job.
 */
#include <stdlib.h>
#include <string.h>

#include "show.h"
#include "test.h"

/* The job of this status line, as JSON without its layout. */
static void expect(const char *line, const char *wanted)
{
	struct target_status st;
	struct json json = { 0 };
	char *to, *p;

	assert_int_equal(status_parse(line, &st), 0);
	show_json_job(&json, NULL, &st.job);
	to = json.out.text;
	for (p = to; *p; p++)
		if (*p != '\n' && *p != ' ')
			*to++ = *p;
	*to = '\0';
	assert_string_equal(json.out.text, wanted);
	free(json.out.text);
}

static void all_words(void **state)
{
	(void)state;
	expect("rw 5 8 1/2 10 stream paused 1 1024 4096 65536 nospace 28 512 3",
	       "{\"job\":\"stream\",\"state\":\"paused\",\"base\":1,\"offset\":1024,\"len\":4096,\"done\":25.000,"
	       "\"speed\":65536,\"io-status\":\"nospace\",\"error\":\"ENOSPC\",\"verified\":512,\"top\":3}");
	expect("rw 2 8 1/2 10 commit concluded 0 4096 4096 0 ok 0 0 0",
	       "{\"job\":\"commit\",\"state\":\"concluded\",\"base\":0,\"offset\":4096,\"len\":4096,\"done\":100.000,"
	       "\"speed\":0,\"io-status\":\"ok\",\"error\":null,\"verified\":0,\"top\":0}");
}

/* What the module does not tell, or there is not. */
static void unknown(void **state)
{
	(void)state;
	expect("rw 2 8 1/2 8 stream running - 0 4096 0 ok 0",
	       "{\"job\":\"stream\",\"state\":\"running\",\"base\":null,\"offset\":0,\"len\":4096,\"done\":0.000,"
	       "\"speed\":0,\"io-status\":\"ok\",\"error\":null,\"verified\":null,\"top\":null}");
	expect("rw 2 8 1/2 0", "null");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_words),
		cmocka_unit_test(unknown),
	};

	return cmocka_run_group_tests_name("show", tests, NULL, NULL);
}
