// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which file systems may not answer, and which devices are mounted.
 */
#include <sys/sysmacros.h>

#include "macros.h"
#include "mounts.h"
#include "test.h"

static const char mountinfo[] =
	"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
	"23 22 0:21 / /tmp rw - tmpfs tmpfs rw\n"
	"24 22 0:40 / /pool rw shared:2 - btrfs /dev/sdb rw\n"
	"25 22 0:50 / /net rw shared:3 master:4 - nfs4 host:/x rw\n"
	"26 25 8:2 /sub /net/local rw - xfs /dev/sda2 rw\n"
	"27 22 0:51 / /with\\040blank rw - fuse.sshfs host: rw\n"
	"28 22 8:17 / /stick rw - fuseblk /dev/sdb1 rw\n"
	"29 22 0:52 / /covered rw - cifs //host/x rw\n"
	"30 29 8:3 / /covered rw - ext4 /dev/sda3 rw\n"
	"31 22 0:53 / /new rw - fs_of_the_future x rw\n"
	"32 22 7:3 / /loop ro - ext4 /dev/loop3 ro\n"
	"33 22 0:54 / /part ro - btrfs /dev/loop4p1 ro\n"
	"34 22 0:55 / /none rw - tmpfs\n"
	"nonsense\n";

static void may_hang(void **state)
{
	static const struct {
		const char *path;
		bool may;
	} cases[] = {
		{ "/a", false }, { "/tmp/a", false }, { "/pool/a/b", false }, { "/netx", false },
		{ "/net/a", true }, { "/net/a (deleted)", true }, { "/net/local/a", false },
		{ "/with blank/a", true }, { "/with\\040blank/a", false }, { "/stick/a", true },
		{ "/covered/a", false }, { "/new/a", true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(mounts_may_hang_in(mountinfo, cases[i].path, makedev(8, 1)),
				 cases[i].may);
	/* What has been opened there has answered. */
	assert_false(mounts_may_hang_in(mountinfo, "/net/a", makedev(0, 50)));
	assert_true(mounts_may_hang_in(mountinfo, "/new/a", makedev(0, 50)));
	assert_false(mounts_may_hang_in("", "/net/a", 0));
	/* The real ones can be read. */
	assert_false(mounts_may_hang("", 0));
}

static void have_device(void **state)
{
	(void)state;
	assert_true(mounts_have_device_in(mountinfo, "loop3"));
	assert_true(mounts_have_device_in(mountinfo, "loop4"));
	assert_false(mounts_have_device_in(mountinfo, "loop"));
	assert_false(mounts_have_device_in(mountinfo, "loop33"));
	assert_false(mounts_have_device_in(mountinfo, "loop5"));
	assert_false(mounts_have_device_in(mountinfo, "tmpfs"));
	assert_false(mounts_have_device("loop999999"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(may_hang),
		cmocka_unit_test(have_device),
	};

	return cmocka_run_group_tests_name("mounts", tests, NULL, NULL);
}
