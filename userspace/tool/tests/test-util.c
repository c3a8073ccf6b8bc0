// SPDX-License-Identifier: GPL-2.0-only
/*
 * Strings of the tool: words for a shell, growing strings.
 */
#include <stdlib.h>

#include "test.h"
#include "util.h"

static void shell_words(void **state)
{
	static const char *const texts[][2] = {
		{ "/a/b-1.raw", "/a/b-1.raw" }, { "", "''" }, { "a b", "'a b'" },
		{ "it's", "'it'\\''s'" }, { "$x", "'$x'" }, { "\303\240", "'\303\240'" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		char *word = shell_word(texts[i][0]);

		assert_string_equal(word, texts[i][1]);
		free(word);
	}
}

static void growing_string(void **state)
{
	struct strbuf sb = { 0 };
	int i;

	(void)state;
	for (i = 0; i < 1000; i++)
		strbuf_addf(&sb, "%d,", i % 10);
	assert_int_equal(sb.len, 2000);
	assert_memory_equal(sb.text + 1990, "5,6,7,8,9,", 11);
	free(sb.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shell_words),
		cmocka_unit_test(growing_string),
	};

	return cmocka_run_group_tests_name("util", tests, NULL, NULL);
}
