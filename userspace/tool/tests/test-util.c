// SPDX-License-Identifier: GPL-2.0-only
/*
 * Strings of the tool: messages, words for a shell, growing strings.
 */
#include <stdlib.h>

#include "test.h"
#include "util.h"

static void shell_words(void **state)
{
	static const char *const texts[][2] = {
		{ "/a/b-1.raw", "/a/b-1.raw" }, { "", "''" }, { "a b", "'a b'" },
		{ "it's", "'it'\\''s'" }, { "$x", "'$x'" }, { "\303\240", "'\303\240'" },
		/* What a terminal would obey, and what safe_text() would change in a message. */
		{ "a\033[2Jb", "$'a\\033[2Jb'" }, { "\302\233'\n", "$'\\302\\233\\'\\012'" },
		{ "\\x41", "$'\\134x41'" }, { "\\n", "'\\n'" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++)
		assert_string_equal(shell_word(texts[i][0]), texts[i][1]);
}

static void several_words(void **state)
{
	const char *a = shell_word("a b"), *b = shell_word("c d"), *c = shell_word("e f");

	(void)state;
	assert_string_equal(a, "'a b'");
	assert_string_equal(b, "'c d'");
	assert_string_equal(c, "'e f'");
}

static void messages(void **state)
{
	(void)state;
	quiet_begin();
	cc_error("%s: no", "a\nb\033[2J\302\233\342\200\256");
	assert_string_equal(quiet_end(),
			    "cowchain: a\\x0ab\\x1b[2J\\xc2\\x9b\\xe2\\x80\\xae: no\n");
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
		cmocka_unit_test(several_words),
		cmocka_unit_test(messages),
		cmocka_unit_test(growing_string),
	};

	return cmocka_run_group_tests_name("util", tests, NULL, NULL);
}
