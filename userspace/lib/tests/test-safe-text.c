// SPDX-License-Identifier: GPL-2.0-only
/*
 * Text from outside, made fit to be shown.
 */
#include <string.h>

#include "macros.h"
#include "safe-text.h"
#include "test.h"

static void check_text(const char *text, const char *want)
{
	char to[256];

	assert_true(SAFE_TEXT_ROOM(strlen(text)) <= sizeof(to));
	safe_text(to, text);
	assert_string_equal(to, want);
	assert_int_equal(safe_text_is(text), !strcmp(text, want));
	/* What was made safe is printable, but the backslashes of it are no longer as they are. */
	assert_true(strlen(to) < SAFE_TEXT_ROOM(strlen(text)));
}

static void texts(void **state)
{
	(void)state;
	check_text("", "");
	check_text("/a b/\303\240\320\240\346\274\242\360\237\230\200~", "/a b/\303\240\320\240\346\274\242\360\237\230\200~");
	check_text("\033]0;x\007\r\n\t\177", "\\x1b]0;x\\x07\\x0d\\x0a\\x09\\x7f");
	/* The 8-bit CSI, as UTF-8 and as a byte of its own. */
	check_text("\302\233" "31m", "\\xc2\\x9b31m");
	check_text("\233" "31m", "\\x9b31m");
	check_text("\302\200\302\237\302\240", "\\xc2\\x80\\xc2\\x9f\302\240");
	/* Directions, lines, and what cannot be seen. */
	check_text("\342\200\256gpj.exe", "\\xe2\\x80\\xaegpj.exe");
	check_text("\342\201\246\342\201\251\330\234", "\\xe2\\x81\\xa6\\xe2\\x81\\xa9\\xd8\\x9c");
	check_text("\342\200\250\342\200\251\357\273\277\342\200\213",
		   "\\xe2\\x80\\xa8\\xe2\\x80\\xa9\\xef\\xbb\\xbf\\xe2\\x80\\x8b");
	check_text("\363\240\200\201", "\\xf3\\xa0\\x80\\x81");
	/* No UTF-8: a surrogate, too long, cut off, beyond the last one, not a first byte. */
	check_text("\355\240\200", "\\xed\\xa0\\x80");
	check_text("\300\212", "\\xc0\\x8a");
	check_text("\340\200\212", "\\xe0\\x80\\x8a");
	check_text("a\303", "a\\xc3");
	check_text("a\360\237\230", "a\\xf0\\x9f\\x98");
	check_text("\364\220\200\200", "\\xf4\\x90\\x80\\x80");
	check_text("\370\210\200\200\200", "\\xf8\\x88\\x80\\x80\\x80");
	/* Nothing looks like what stands for something else. */
	check_text("\\x1b", "\\x5cx1b");
	check_text("\\\\x", "\\\\x5cx");
	check_text("\\n\\", "\\n\\");
}

static void json(void **state)
{
	char to[256], utf8[256];

	(void)state;
	safe_utf8(utf8, "\303\240\233\355\240\200.");
	assert_string_equal(utf8, "\303\240\357\277\275\357\277\275\357\277\275\357\277\275.");
	safe_json(to, "{\n\t\"a\": \"\303\240\\u001b\302\233\342\200\256\363\240\200\201\177\"\n}\n");
	assert_string_equal(to, "{\n\t\"a\": \"\303\240\\u001b\\u009b\\u202e\\udb40\\udc01\\u007f\"\n}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(json),
	};

	return cmocka_run_group_tests_name("safe-text", tests, NULL, NULL);
}
