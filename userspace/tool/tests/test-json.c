// SPDX-License-Identifier: GPL-2.0-only
/*
 * The writer of JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "test.h"

/* Compare what was written, without its layout, and free it. */
static void expect(struct json *json, const char *wanted)
{
	char *text = json->out.text, *to = text, *p;

	for (p = text; *p; p++)
		if (*p != '\n' && *p != ' ')
			*to++ = *p;
	*to = '\0';
	assert_string_equal(text, wanted);
	assert_int_equal(json->depth, 0);
	free(text);
	memset(json, 0, sizeof(*json));
}

static void values(void **state)
{
	struct json json = { 0 };

	(void)state;
	json_object(&json, NULL);
	json_text(&json, "a", "x");
	json_text(&json, "b", NULL);
	json_number(&json, "c", UINT64_MAX);
	json_fraction(&json, "d", 42005);
	json_bool(&json, "e", true);
	json_bool(&json, "f", false);
	json_end(&json);
	expect(&json, "{\"a\":\"x\",\"b\":null,\"c\":18446744073709551615,\"d\":42.005,\"e\":true,\"f\":false}");
}

static void nested(void **state)
{
	struct json json = { 0 };

	(void)state;
	json_object(&json, NULL);
	json_array(&json, "a");
	json_end(&json);
	json_array(&json, "b");
	json_object(&json, NULL);
	json_end(&json);
	json_object(&json, NULL);
	json_number(&json, "n", 1);
	json_end(&json);
	json_number(&json, NULL, 2);
	json_end(&json);
	json_null(&json, "c");
	json_end(&json);
	expect(&json, "{\"a\":[],\"b\":[{},{\"n\":1},2],\"c\":null}");
}

static void strings(void **state)
{
	static const char *const texts[][2] = {
		{ "", "\"\"" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "\n\t\x1b\x7f", "\"\\u000a\\u0009\\u001b\\u007f\"" },
		{ "\xc3\xa9", "\"\xc3\xa9\"" },
		{ "\xc3", "\"\xef\xbf\xbd\"" },
		{ "\xe2\x80\xae", "\"\\u202e\"" },
		{ "\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"" },
	};
	struct json json = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		json_text(&json, NULL, texts[i][0]);
		expect(&json, texts[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(nested),
		cmocka_unit_test(strings),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
