// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parsing of what the target has counted.
 */
#include <string.h>

#include "macros.h"
#include "stats.h"
#include "test.h"

static void layers(void **state)
{
	struct stats s;

	(void)state;
	assert_int_equal(stats_parse("unpack_hits 5 unpack_misses 1 on 1 hole_reads 7 hole_bytes 4096\n"
				     "layer 7:0 reads 3 read_bytes 18446744073709551615\n"
				     "layer 253:11 reads 0 sync_max_ns 12", &s), 0);
	assert_null(s.all.dev);
	assert_int_equal(s.all.value[STAT_ON], 1);
	assert_int_equal(s.all.value[STAT_UNPACK_HITS], 5);
	assert_int_equal(s.all.value[STAT_HOLE_BYTES], 4096);
	assert_false(s.all.known[STAT_READS]);
	assert_int_equal(s.nr_layers, 2);
	assert_string_equal(s.layers[0].dev, "7:0");
	assert_true(s.layers[0].value[STAT_READ_BYTES] == UINT64_MAX);
	assert_false(s.layers[0].known[STAT_SYNC_MAX_NS]);
	assert_string_equal(s.layers[1].dev, "253:11");
	assert_true(s.layers[1].known[STAT_READS]);
	assert_int_equal(s.layers[1].value[STAT_SYNC_MAX_NS], 12);
	stats_free(&s);
	assert_int_equal(s.nr_layers, 0);
}

/* An old module has these two words, a later one more than this program knows. */
static void versions(void **state)
{
	struct stats s;

	(void)state;
	assert_int_equal(stats_parse("unpack_hits 0 unpack_misses 2", &s), 0);
	assert_int_equal(s.nr_layers, 0);
	assert_false(s.all.known[STAT_ON]);
	stats_free(&s);
	assert_int_equal(stats_parse("on 0 new 5\nlayer 7:1 newer 6 reads 1", &s), 0);
	assert_int_equal(s.layers[0].value[STAT_READS], 1);
	stats_free(&s);
}

static void bad(void **state)
{
	static const char *const texts[] = {
		"", "on", "on x", "on -1", "on 1 reads", "layer 7:0 reads 1", "on 1\nlayer",
		"on 1\nreads 5", "on 1\nlayer 7:0 reads", "on 1\nlayer 7:0 reads x",
	};
	struct stats s;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(stats_parse(texts[i], &s), -1);
		assert_null(s.layers);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layers),
		cmocka_unit_test(versions),
		cmocka_unit_test(bad),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
