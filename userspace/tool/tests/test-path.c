// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which names from headers are followed, and which names are written into headers.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "path.h"
#include "source.h"
#include "test.h"
#include "util.h"

static void parts(void **state)
{
	char *dir;

	(void)state;
	dir = path_dir("/a/b/c");
	assert_string_equal(dir, "/a/b");
	free(dir);
	dir = path_dir("/c");
	assert_string_equal(dir, "/");
	free(dir);
	dir = path_dir("c");
	assert_string_equal(dir, ".");
	free(dir);
	assert_string_equal(path_base("/a/b"), "b");
	assert_string_equal(path_base("b"), "b");
	assert_true(path_below("/a/b", "/a"));
	assert_true(path_below("/a/b/c", "/a"));
	assert_true(path_below("/a", "/"));
	assert_false(path_below("/ab/c", "/a"));
	assert_false(path_below("/a", "/a"));
	assert_false(path_below("/", "/"));
	assert_false(path_below("/b/a/c", "/a"));
}

static void protocols(void **state)
{
	(void)state;
	assert_true(path_has_protocol("json:{}"));
	assert_true(path_has_protocol("nbd://host/x"));
	assert_true(path_has_protocol("file:/a"));
	assert_true(path_has_protocol("file:a"));
	assert_true(path_has_protocol("a:b"));
	assert_true(path_has_protocol(":"));
	assert_false(path_has_protocol("./a:b"));
	assert_false(path_has_protocol("/a:b"));
	assert_false(path_has_protocol("a"));
	assert_false(path_has_protocol(""));
}

static void check_stored(const char *dir, const char *target, const char *want)
{
	char *name = path_stored_name(dir, target);

	assert_string_equal(name, want);
	free(name);
}

static void stored_names(void **state)
{
	(void)state;
	check_stored("/imgs", "/imgs/base.raw", "base.raw");
	check_stored("/imgs", "/imgs/old/base.raw", "old/base.raw");
	check_stored("/imgs", "/imgs2/base.raw", "/imgs2/base.raw");
	check_stored("/imgs/new", "/imgs/base.raw", "/imgs/base.raw");
	check_stored("/", "/base.raw", "base.raw");
	check_stored("/imgs", "/imgs/a:b", "./a:b");
	check_stored("/imgs", "/imgs/d/a:b", "d/a:b");
	check_stored("/imgs", "/dev/vda", "/dev/vda");
}

static void block_devices_keep_their_names(void **state)
{
	char *cwd = getcwd(NULL, 0), *name, *want;

	(void)state;
	write_file("file", "", 0);
	assert_int_equal(symlink("file", "file-link"), 0);
	want = xasprintf("%s/file", cwd);
	name = source_lasting_name("file-link");
	assert_string_equal(name, want);
	free(name);
	free(want);
	assert_null(source_lasting_name("missing"));
	if (mknod("node", S_IFBLK | 0600, makedev(7, 0))) {
		free(cwd);
		skip();
	}
	assert_int_equal(symlink("node", "node-link"), 0);
	want = xasprintf("%s/node-link", cwd);
	name = source_lasting_name("node-link");
	assert_string_equal(name, want);
	free(name);
	/* Nor is it relative to an image in the same directory. */
	check_stored(cwd, want, want);
	free(want);
	free(cwd);
}

/* The name must lead to a file called want; or, if want is NULL, be refused because of why. */
static void check_follow(const char *image, const char *name, const struct allow_dirs *allow,
			 const char *want, const char *why)
{
	char *dir = path_dir(image), *real_dir = realpath(dir, NULL);
	char *real_image = xasprintf("%s/%s", real_dir, path_base(image));
	struct path_image img = { image, real_image, false };
	const char *text;
	char *path, *real;

	quiet_begin();
	path = path_follow(&img, name, "backing file", allow, &real);
	text = quiet_end();
	if (want) {
		assert_non_null(path);
		assert_string_equal(path_base(path), want);
		assert_int_equal(real[0], '/');
	} else {
		assert_null(path);
		assert_null(real);
		assert_non_null(strstr(text, why));
		assert_non_null(strstr(text, image));
	}
	free(real);
	free(path);
	free(real_image);
	free(real_dir);
	free(dir);
}

static void followed_names(void **state)
{
	struct allow_dirs none = { 0 }, other = { 0 };
	char *abs;

	(void)state;
	assert_int_equal(mkdir("imgs", 0755), 0);
	assert_int_equal(mkdir("imgs/sub", 0755), 0);
	assert_int_equal(mkdir("imgsX", 0755), 0);
	assert_int_equal(mkdir("other", 0755), 0);
	write_file("imgs/base", "", 0);
	write_file("imgs/sub/base2", "", 0);
	write_file("imgs/a:b", "", 0);
	write_file("imgsX/evil", "", 0);
	write_file("other/far", "", 0);
	assert_int_equal(symlink("../other/far", "imgs/link"), 0);
	assert_int_equal(symlink("sub", "imgs/inner"), 0);
	assert_int_equal(symlink("imgs", "alias"), 0);

	check_follow("imgs/top", "base", &none, "base", NULL);
	check_follow("imgs/top", "sub/base2", &none, "base2", NULL);
	check_follow("imgs/top", "inner/base2", &none, "base2", NULL);
	check_follow("imgs/top", "../imgs/base", &none, "base", NULL);
	check_follow("imgs/top", "./a:b", &none, "a:b", NULL);
	check_follow("alias/top", "base", &none, "base", NULL);
	abs = path_absolute("imgs/base");
	check_follow("imgs/top", abs, &none, "base", NULL);
	/* Below the directory of the image that has the name, not of the image above. */
	check_follow("imgs/sub/mid", abs, &none, NULL, "--allow-dir");
	free(abs);

	check_follow("imgs/top", "../other/far", &none, NULL, "--allow-dir");
	check_follow("imgs/top", "link", &none, NULL, "--allow-dir");
	check_follow("imgs/top", "../imgsX/evil", &none, NULL, "--allow-dir");
	check_follow("imgs/top", "/etc/passwd", &none, NULL, "--allow-dir");
	check_follow("imgs/top", "a:b", &none, NULL, "never followed");
	check_follow("imgs/top", "json:{\"driver\":\"raw\"}", &none, NULL, "never followed");
	check_follow("imgs/top", "nbd://localhost/x", &none, NULL, "never followed");
	check_follow("imgs/top", "missing", &none, NULL, "No such file");
	check_follow("imgs/top", "", &none, NULL, "empty");

	assert_int_equal(allow_dirs_add(&other, "other"), 0);
	check_follow("imgs/top", "../other/far", &other, "far", NULL);
	check_follow("imgs/top", "link", &other, "link", NULL);
	check_follow("imgs/top", "../imgsX/evil", &other, NULL, "--allow-dir");
	check_follow("imgs/top", "json:other/far", &other, NULL, "never followed");
	allow_dirs_free(&other);
}

/* What was allowed is opened, and nothing that has its name a moment later. */
static void links_may_change(void **state)
{
	struct allow_dirs none = { 0 };
	char *dir = realpath("imgs", NULL), *image = xasprintf("%s/top", dir);
	struct path_image img = { "imgs/top", image, false };
	char *path, *real;
	struct source src;
	const char *text;

	(void)state;
	assert_int_equal(symlink("base", "imgs/swap"), 0);
	path = path_follow(&img, "swap", "backing file", &none, &real);
	assert_non_null(path);
	assert_int_equal(unlink("imgs/swap"), 0);
	assert_int_equal(symlink("../other/far", "imgs/swap"), 0);
	quiet_begin();
	assert_int_equal(source_open(&src, path, real, SOURCE_PEEK), -1);
	text = quiet_end();
	assert_non_null(strstr(text, "changed while it was being opened"));
	free(path);
	free(real);
	free(image);
	free(dir);
}

static const struct {
	struct path_case c;
	const char *allow;	/* a directory; NULL: none */
	bool allowed;
} rules[] = {
	{ { "/i", "/i/base", "/i/base", false }, NULL, true },
	{ { "/i", "/i/base", "/j/base", false }, NULL, false },
	{ { "/i", "/j/base", "/i/base", false }, NULL, true },
	{ { "/i", "/j/base", "/j/base", false }, "/j", true },
	{ { "/i", "/j/base", "/k/base", false }, "/j", false },
	{ { "/i", "/i/disk", "/dev/sda", true }, NULL, false },
	{ { "/i", "/i/disk", "/dev/sda", true }, "/i", false },
	{ { "/i", "/dev/sda", "/dev/sda", true }, "/dev", true },
	{ { "/dev/shm", "/dev/shm/base", "/dev/shm/base", false }, NULL, true },
	/* an image on /dev/sdb */
	{ { NULL, "/dev/sda", "/dev/sda", true }, NULL, false },
	{ { NULL, "/dev/mapper/base", "/dev/dm-3", true }, NULL, false },
	{ { NULL, "/dev/vg/base", "/dev/dm-3", true }, "/dev/vg", true },
	{ { NULL, "/dev/vg/base", "/dev/dm-3", true }, "/dev/vg2", false },
	{ { NULL, "/dev/vg2/base", "/dev/dm-3", true }, "/dev/vg", false },
	{ { NULL, "/dev/vg/base", "/j/base", false }, "/dev/vg", false },
	{ { NULL, "/dev/mapper/base", "/dev/mapper/base", true }, "/dev/mapper", true },
	{ { NULL, "/j/base", "/j/base", false }, "/j", true },
	{ { NULL, "/j/base", "/j/base", false }, NULL, false },
	/* a file in /dev */
	{ { "/dev", "/dev/sda", "/dev/sda", true }, NULL, false },
	{ { "/", "/dev/sda", "/dev/sda", true }, NULL, false },
	{ { "/", "/i/base", "/i/base", false }, NULL, true },
	{ { "/dev/vg", "/dev/vg/base", "/dev/vg/base", true }, NULL, true },
};

static void the_rules(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		char *dir = (char *)rules[i].allow;
		struct allow_dirs allow = { &dir, dir ? 1 : 0 };

		if (path_allowed(&rules[i].c, &allow) != rules[i].allowed)
			fail_msg("case %zu", i);
	}
}

static void allowed_dirs_must_exist(void **state)
{
	struct allow_dirs allow = { 0 };

	(void)state;
	quiet_begin();
	assert_int_not_equal(allow_dirs_add(&allow, "no/such"), 0);
	assert_non_null(strstr(quiet_end(), "no/such"));
	assert_int_equal(allow.nr, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts),
		cmocka_unit_test(protocols),
		cmocka_unit_test(stored_names),
		cmocka_unit_test(block_devices_keep_their_names),
		cmocka_unit_test(followed_names),
		cmocka_unit_test(links_may_change),
		cmocka_unit_test(the_rules),
		cmocka_unit_test(allowed_dirs_must_exist),
	};

	return cmocka_run_group_tests_name("path", tests, scratch_setup, scratch_teardown);
}
