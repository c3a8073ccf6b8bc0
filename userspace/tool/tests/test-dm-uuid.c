// SPDX-License-Identifier: GPL-2.0-only
/*
 * What UUIDs of devices say.
 */
#include <stdlib.h>
#include <string.h>

#include "dm-uuid.h"
#include "test.h"
#include "util.h"

static void round_trip(void **state)
{
	const struct dm_marks all[] = {
		{ 0 },
		{ .host = true },
		{ .owned = true, .uid = 4294967294U, .gid = 100, .mode = 0660 },
		{ .host = true, .owned = true, .uid = 0, .gid = 0, .mode = 0 },
	};
	char *uuid, *part, *other;
	struct dm_marks marks;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		uuid = dm_uuid_new(&all[i]);
		other = dm_uuid_new(&all[i]);
		part = xasprintf("part12-%s", uuid);
		/* as much as the kernel stores */
		assert_true(strlen(part) < 128);
		assert_string_not_equal(uuid, other);
		assert_int_equal(strncmp(uuid, "COWCHAIN-", 9), 0);
		dm_uuid_marks(uuid, &marks);
		assert_memory_equal(&marks, &all[i], sizeof(marks));
		dm_uuid_marks(part, &marks);
		assert_memory_equal(&marks, &all[i], sizeof(marks));
		assert_int_equal(dm_uuid_partition(part, uuid), 12);
		assert_int_equal(dm_uuid_partition(part, other), 0);
		assert_int_equal(dm_uuid_partition(uuid, uuid), 0);
		free(part);
		free(other);
		free(uuid);
	}
}

static void others(void **state)
{
	struct dm_marks marks;

	(void)state;
	dm_uuid_marks("LVM-u1-g1-m1-", &marks);
	assert_false(marks.owned || marks.host);
	dm_uuid_marks("", &marks);
	assert_false(marks.owned || marks.host);
	/* as a user of dmsetup may name one */
	dm_uuid_marks("COWCHAIN-vm1", &marks);
	assert_false(marks.owned || marks.host);
	assert_int_equal(dm_uuid_partition("part1-", ""), 0);
	assert_int_equal(dm_uuid_partition("partx-COWCHAIN-1", "COWCHAIN-1"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(others),
	};

	return cmocka_run_group_tests_name("dm-uuid", tests, NULL, NULL);
}
