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
	assert_int_equal(source_open(&src, path, real, false), -1);
	text = quiet_end();
	assert_non_null(strstr(text, "changed while it was being opened"));
	free(path);
	free(real);
	free(image);
	free(dir);
}

/* own, name, real, block; fixed: only root decides where the name leads */
static const struct {
	const char *own, *name, *real;
	bool block, fixed;
	const char *allow;	/* a directory; NULL: none */
	bool allowed;
	const char *remedy;	/* NULL: none */
} rules[] = {
	{ "/i", "/i/base", "/i/base", false, false, NULL, true, "/i" },
	{ "/i", "/i/base", "/j/base", false, false, NULL, false, "/j" },
	{ "/i", "/j/base", "/i/base", false, false, NULL, true, "/i" },
	{ "/i", "/j/base", "/j/base", false, false, "/j", true, "/j" },
	{ "/i", "/j/base", "/k/base", false, false, "/j", false, "/k" },
	/* a tree of links that root has made */
	{ "/i", "/j/base", "/k/base", false, true, "/j", true, "/k" },
	{ "/i", "/j/base", "/k/base", false, true, "/k", true, "/k" },
	{ "/i", "/j/base", "/k/base", false, true, "/l", false, "/k" },
	{ "/i", "/i/base", "/k/base", false, true, NULL, false, "/k" },
	{ "/i", "/i/disk", "/dev/sda", true, false, NULL, false, NULL },
	{ "/i", "/i/disk", "/dev/sda", true, false, "/i", false, NULL },
	{ "/i", "/i/disk", "/dev/sda", true, true, "/i", true, NULL },
	{ "/i", "/dev/sda", "/dev/sda", true, true, "/dev", true, NULL },
	{ "/dev/shm", "/dev/shm/base", "/dev/shm/base", false, false, NULL, true, "/dev/shm" },
	/* an image on /dev/sdb */
	{ NULL, "/dev/sda", "/dev/sda", true, true, NULL, false, NULL },
	{ NULL, "/dev/mapper/base", "/dev/dm-3", true, true, NULL, false, "/dev/mapper" },
	{ NULL, "/dev/vg/base", "/dev/dm-3", true, true, "/dev/vg", true, "/dev/vg" },
	{ NULL, "/dev/vg/base", "/dev/dm-3", true, true, "/dev/vg2", false, "/dev/vg" },
	{ NULL, "/dev/vg2/base", "/dev/dm-3", true, true, "/dev/vg", false, "/dev/vg2" },
	/* where everybody makes links */
	{ NULL, "/dev/shm/base", "/dev/sda", true, false, "/dev/shm", false, NULL },
	{ NULL, "/dev/vg/base", "/j/base", false, false, "/dev/vg", false, "/j" },
	{ NULL, "/dev/mapper/base", "/dev/mapper/base", true, true, "/dev/mapper", true, "/dev/mapper" },
	{ NULL, "/j/base", "/j/base", false, false, "/j", true, "/j" },
	{ NULL, "/j/base", "/j/base", false, false, NULL, false, "/j" },
	{ "/i", "/base", "/base", false, false, NULL, false, NULL },
	/* a file in /dev */
	{ "/dev", "/dev/sda", "/dev/sda", true, true, NULL, false, NULL },
	{ "/", "/dev/sda", "/dev/sda", true, true, NULL, false, NULL },
	{ "/", "/i/base", "/i/base", false, false, NULL, true, "/i" },
	{ "/dev/vg", "/dev/vg/base", "/dev/vg/base", true, true, NULL, true, "/dev/vg" },
};

static void the_rules(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		char *dir = (char *)rules[i].allow, *remedy;
		struct allow_dirs allow = { &dir, dir ? 1 : 0 };
		struct path_name names[] = {
			/* A link in the image's own directory leads to that name. */
			{ (char *)"/i/link", false },
			{ (char *)rules[i].name, rules[i].fixed },
		};
		struct path_case c = { rules[i].own, names, 2, rules[i].real, rules[i].block };

		if (path_allowed(&c, &allow) != rules[i].allowed)
			fail_msg("case %zu", i);
		remedy = path_remedy(&c);
		if (!remedy != !rules[i].remedy || (remedy && strcmp(remedy, rules[i].remedy)))
			fail_msg("case %zu: %s", i, remedy);
		free(remedy);
	}
}

/* want: the names on the way, each with a sign behind it: + it is fixed, - it is not. */
static void check_links(const char *path, const char *real, const char *want)
{
	char *cwd = getcwd(NULL, 0), *abs = path_absolute(path), *abs_real = path_absolute(real);
	struct path_names names;
	struct strbuf sb = { 0 };
	size_t i;

	path_links_find(abs, abs_real, &names);
	for (i = 0; i < names.nr; i++) {
		assert_true(path_below(names.names[i].path, cwd));
		strbuf_addf(&sb, "%s%s%c", i ? " " : "", names.names[i].path + strlen(cwd) + 1,
			    names.names[i].fixed ? '+' : '-');
	}
	assert_string_equal(sb.text ? sb.text : "", want);
	free(sb.text);
	path_links_free(&names);
	free(abs_real);
	free(abs);
	free(cwd);
}

/* Below a directory of root's, as the tests may not be. */
static bool in_fixed_dir(void)
{
	char *cwd = getcwd(NULL, 0);
	struct path_names names;
	char *file = xasprintf("%s/file", cwd);
	bool fixed;

	path_links_find(file, file, &names);
	fixed = names.nr == 1 && names.names[0].fixed;
	path_links_free(&names);
	free(file);
	free(cwd);
	return fixed;
}

static void links_on_the_way(void **state)
{
	(void)state;
	assert_int_equal(mkdir("links", 0755), 0);
	assert_int_equal(chdir("links"), 0);
	write_file("file", "", 0);
	assert_int_equal(mkdir("vg", 0755), 0);
	assert_int_equal(mkdir("open", 0777), 0);
	assert_int_equal(chmod("open", 0777), 0);
	write_file("open/file", "", 0);
	assert_int_equal(symlink("../file", "vg/base"), 0);
	assert_int_equal(symlink("vg", "dir"), 0);
	assert_int_equal(symlink("dir/./base", "twice"), 0);
	assert_int_equal(symlink("../vg/base", "open/link"), 0);
	assert_int_equal(symlink("open/../vg/base", "through"), 0);
	assert_int_equal(symlink("open/file", "into"), 0);
	assert_int_equal(symlink("loop", "loop"), 0);
	if (in_fixed_dir()) {
		check_links("file", "file", "file+");
		check_links("vg/base", "file", "vg/base+ file+");
		check_links("dir/base", "file", "vg/base+ file+");
		check_links("twice", "file", "twice+ vg/base+ file+");
		/* not what was found before */
		check_links("vg/base", "open/file", "vg/base- file-");
		/* somebody else may exchange the link, or what is on the way */
		check_links("open/link", "file", "open/link- vg/base+ file+");
		check_links("through", "file", "through- vg/base+ file+");
		check_links("into", "open/file", "into- open/file-");
		/* in a sticky directory, not what belongs to root */
		assert_int_equal(chmod("open", 01777), 0);
		check_links("open/link", "file", "open/link+ vg/base+ file+");
		check_links("into", "open/file", "into+ open/file+");
		if (!geteuid()) {
			assert_int_equal(lchown("open/link", 1, 1), 0);
			assert_int_equal(lchown("open/file", 1, 1), 0);
			assert_int_equal(lchown("file", 1, 1), 0);
			check_links("open/link", "file", "open/link- vg/base+ file+");
			check_links("into", "open/file", "into- open/file-");
			assert_int_equal(lchown("vg", 1, 1), 0);
			check_links("vg/base", "file", "vg/base- file+");
		}
	}
	check_links("missing/x", "file", "");
	assert_int_equal(chdir(".."), 0);
}

static void allowed_dirs_must_exist(void **state)
{
	struct allow_dirs allow = { 0 };

	(void)state;
	quiet_begin();
	assert_int_not_equal(allow_dirs_add(&allow, "no/such"), 0);
	assert_non_null(strstr(quiet_end(), "no/such"));
	write_file("no-dir", "", 0);
	quiet_begin();
	assert_int_not_equal(allow_dirs_add(&allow, "no-dir"), 0);
	assert_non_null(strstr(quiet_end(), "not a directory"));
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
		cmocka_unit_test(links_on_the_way),
		cmocka_unit_test(allowed_dirs_must_exist),
	};

	return cmocka_run_group_tests_name("path", tests, scratch_setup, scratch_teardown);
}
