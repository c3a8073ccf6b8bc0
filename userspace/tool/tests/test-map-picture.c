// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parts that a disk is cut into.
 */
#include <string.h>

#include "map-picture.h"
#include "test.h"

#define MAX_BINS 256

/* All of it, in one piece and in many, is all of each part. */
static void check_disk(uint64_t disk, unsigned int nr)
{
	uint64_t bytes[MAX_BINS] = { 0 }, pieces[MAX_BINS] = { 0 }, at, len;
	struct map_bins whole = { disk, nr, bytes }, cut = { disk, nr, pieces };
	unsigned int i;

	map_bins_add(&whole, 0, disk);
	for (at = 0; at < disk; at += len) {
		len = disk / 1000 + 7;
		if (len > disk - at)
			len = disk - at;
		map_bins_add(&cut, at, len);
	}
	for (i = 0; i < nr; i++)
		assert_int_equal(bytes[i], map_bin_start(&whole, i + 1) - map_bin_start(&whole, i));
	assert_memory_equal(bytes, pieces, sizeof(bytes));
	assert_int_equal(map_bin_start(&whole, nr), disk);
}

static void whole_disks(void **state)
{
	(void)state;
	check_disk(512, 1);
	check_disk(512, 3);
	check_disk(10 << 20, 200);
	check_disk((1ULL << 63) + 12345, 256);
	check_disk(UINT64_MAX / 512 * 512, 7);
}

static void one_part(void **state)
{
	uint64_t bytes[10] = { 0 };
	struct map_bins bins = { 1000, 10, bytes };

	(void)state;
	map_bins_add(&bins, 99, 2);
	map_bins_add(&bins, 500, 100);
	map_bins_add(&bins, 999, 1);
	assert_int_equal(bytes[0], 1);
	assert_int_equal(bytes[1], 1);
	assert_int_equal(bytes[4], 0);
	assert_int_equal(bytes[5], 100);
	assert_int_equal(bytes[6], 0);
	assert_int_equal(bytes[9], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_disks),
		cmocka_unit_test(one_part),
	};

	return cmocka_run_group_tests_name("map-picture", tests, NULL, NULL);
}
