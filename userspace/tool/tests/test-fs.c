// SPDX-License-Identifier: GPL-2.0-only
/*
 * What follows from what file systems tell of themselves. That they tell this, and that nothing is
 * lost where nothing is said, is tested in a virtual machine (full-tool.sh).
 */
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"
#include "macros.h"
#include "test.h"

static const struct {
	struct fs_facts facts;
	bool loop_direct;
	const char *text;	/* a part of it; NULL: there is no doubt */
} cases[] = {
	{ { EXT4_SUPER_MAGIC, .told = true, .align = 512, .holes = true }, true, NULL },
	{ { XFS_SUPER_MAGIC, .told = true, .align = 512, .holes = true }, true, NULL },
	{ { XFS_SUPER_MAGIC, .told = true, .align = 512, .shares = true }, true, "shares blocks" },
	{ { BTRFS_SUPER_MAGIC, .nocow = true, .shares = true }, true, NULL },
	/* the upper layer tells this */
	{ { OVERLAYFS_SUPER_MAGIC, .told = true, .align = 512, .holes = true }, true, NULL },
	{ { OVERLAYFS_SUPER_MAGIC, .holes = true }, true, "does not tell" },
	/* encrypted, or data=journal */
	{ { EXT4_SUPER_MAGIC, .told = true, .align = 0, .holes = true }, true, "no direct I/O for it" },
	{ { EXT4_SUPER_MAGIC, .told = true, .align = 0, .holes = false }, true, NULL },
	/* on a device with sectors of 4096 bytes */
	{ { EXT4_SUPER_MAGIC, .told = true, .align = 4096, .holes = true }, false, "blocks of 4096" },
	{ { EXT4_SUPER_MAGIC, .told = true, .align = 4096, .holes = false }, false, NULL },
	{ { F2FS_SUPER_MAGIC, .told = true, .align = 4096, .holes = true }, true, "blocks of 4096" },
	{ { NFS_SUPER_MAGIC, .holes = true }, true, "does not tell" },
	{ { NFS_SUPER_MAGIC, .holes = true }, false, "no direct I/O for loop" },
	{ { NFS_SUPER_MAGIC, .holes = false }, false, NULL },
	{ { TMPFS_MAGIC, .holes = true }, true, "tmpfs" },
	{ { TMPFS_MAGIC, .holes = false }, true, NULL },
	{ { BTRFS_SUPER_MAGIC, .holes = true }, true, "chattr +C" },
	/* all its space is of no use to it */
	{ { BTRFS_SUPER_MAGIC, .holes = false }, true, "chattr +C" },
	/* should it tell an alignment once */
	{ { BTRFS_SUPER_MAGIC, .told = true, .align = 512 }, true, "chattr +C" },
	{ { BTRFS_SUPER_MAGIC, .nocow = true, .holes = true }, true, NULL },
	{ { BTRFS_SUPER_MAGIC, .nocow = true, .holes = true }, false, "loop" },
	{ { BTRFS_SUPER_MAGIC, .nocow = true, .holes = false }, false, NULL },
};

static void doubts(void **state)
{
	char *text;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		text = fs_doubt(&cases[i].facts, cases[i].loop_direct);
		if (!text != !cases[i].text || (text && !strstr(text, cases[i].text)))
			fail_msg("case %zu: %s", i, text ? text : "no doubt");
		assert_true(!text || strstr(text, "--reserve"));
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubts),
	};

	return cmocka_run_group_tests_name("fs", tests, NULL, NULL);
}
