// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines of /etc/cowchaintab.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "macros.h"
#include "tab.h"
#include "test.h"

static char buf[4096];

static enum tab_line parse(const char *line, struct tab_entry *entry, char **why)
{
	snprintf(buf, sizeof(buf), "%s\n", line);
	return tab_parse(buf, strlen(buf), entry, why);
}

static void good(const char *line, struct tab_entry *entry)
{
	char *why;

	assert_int_equal(parse(line, entry, &why), TAB_ENTRY);
	assert_null(why);
}

static void wrong(const char *line, const char *said)
{
	struct tab_entry entry;
	char *why;

	assert_int_equal(parse(line, &entry, &why), TAB_WRONG);
	if (!strstr(why, said))
		fail_msg("'%s': '%s', expected '%s'", line, why, said);
	free(why);
}

static void nothing(void **state)
{
	static const char *const lines[] = { "", "   ", "\t", "#", "# a b c", "  # a", "#a b" };
	struct tab_entry entry;
	char *why;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_equal(parse(lines[i], &entry, &why), TAB_NOTHING);
}

static void fields(void **state)
{
	struct tab_entry entry;

	(void)state;
	good("home /srv/home.qcow2", &entry);
	assert_string_equal(entry.name, "home");
	assert_string_equal(entry.top, "/srv/home.qcow2");
	assert_false(entry.nofail || entry.noauto || entry.netdev || entry.in_initrd);
	assert_int_equal(entry.args.nr, 0);
	assert_int_equal(entry.mounts.nr, 0);
	tab_entry_free(&entry);
	good(" a.b+c:d=e@f#g_-\t/a\\040b/c\\134d -\r", &entry);
	assert_string_equal(entry.name, "a.b+c:d=e@f#g_-");
	assert_string_equal(entry.top, "/a b/c\\d");
	assert_int_equal(entry.args.nr, 0);
	tab_entry_free(&entry);
}

static void options(void **state)
{
	static const char *const args[] = {
		"--read-only", "--allow-dir", "/a,b c", "--allow-dir", "/d=e", "--no-discard-passdown",
		"--commit-ms", "5",
	};
	static const char *const node_args[] = { "--host", "--owner", "vm:disk", "--mode", "0660", "--partitions" };
	struct tab_entry entry;
	size_t i;

	(void)state;
	good("a /b readonly,allow-dir=/a\\054b\\040c,allow-dir=/d=e,no-discard-passdown,commit-ms=5,x-mine=6,x-yours",
	     &entry);
	assert_int_equal(entry.args.nr, ARRAY_SIZE(args));
	for (i = 0; i < ARRAY_SIZE(args); i++)
		assert_string_equal(entry.args.word[i], args[i]);
	assert_false(entry.nofail || entry.noauto || entry.netdev || entry.in_initrd);
	tab_entry_free(&entry);

	good("a /b host,owner=vm:disk,mode=0660,partitions", &entry);
	assert_int_equal(entry.args.nr, ARRAY_SIZE(node_args));
	for (i = 0; i < ARRAY_SIZE(node_args); i++)
		assert_string_equal(entry.args.word[i], node_args[i]);
	tab_entry_free(&entry);

	good("a /b defaults,nofail,,noauto", &entry);
	assert_true(entry.nofail && entry.noauto && !entry.netdev && !entry.in_initrd);
	tab_entry_free(&entry);
	good("a /b _netdev,x-initrd.attach", &entry);
	assert_true(!entry.nofail && !entry.noauto && entry.netdev && entry.in_initrd);
	tab_entry_free(&entry);

	good("a /b x-systemd.requires-mounts-for=/c,x-systemd.requires-mounts-for=/d\\040e", &entry);
	assert_int_equal(entry.mounts.nr, 2);
	assert_string_equal(entry.mounts.word[0], "/c");
	assert_string_equal(entry.mounts.word[1], "/d e");
	tab_entry_free(&entry);
}

static void malformed(void **state)
{
	static const struct {
		const char *line, *said;
	} lines[] = {
		{ "home", "a name and the top image are needed" },
		{ "home /a b c", "'c' is one field too many" },
		{ "home /a nofail # why", "'#' is one field too many" },
		{ "a/b /a", "the name 'a/b' must" },
		{ "a\\040b /a", "the name 'a b' must" },
		{ "a\\0400 /a", "the name 'a 0' must" },
		{ "control /a", "the name 'control' must" },
		{ ". /a", "the name '.' must" },
		{ ".. /a", "the name '..' must" },
		{ "\xc3\xa9 /a", "must have 1 to 127 letters" },
		{ "a\\4 /a", "a backslash begins" },
		{ "a /b\\", "a backslash begins" },
		{ "a /b\\x20", "a backslash begins" },
		{ "a /b allow-dir=/c\\", "a backslash begins" },
		{ "a b.qcow2", "must be an absolute name" },
		{ "a /b/../c", "must be an absolute name" },
		{ "a /b/.", "must be an absolute name" },
		{ "a /b\\012ExecStart=/c", "control characters" },
		{ "a /b allow-dir=/c\\012d", "control characters" },
		{ "a /b readonly=1", "'readonly' takes no value" },
		{ "a /b allow-dir", "'allow-dir' needs a value" },
		{ "a /b allow-dir=", "'allow-dir' needs a value" },
		{ "a /b host=yes", "'host' takes no value" },
		{ "a /b partitions=1", "'partitions' takes no value" },
		{ "a /b owner", "'owner' needs a value" },
		{ "a /b owner=vm,mode=", "'mode' needs a value" },
		{ "a /b raedonly", "no such option: 'raedonly'" },
		{ "a /b --read-only", "no such option: '--read-only'" },
		{ "a /b ignore-identity", "no such option" },
		{ "a /b nofail=1", "no such option: 'nofail'" },
		{ "a /b x-initrd.frob", "no such option: 'x-initrd.frob'" },
		{ "a /b x-systemd.frob=1", "no such option: 'x-systemd.frob'" },
		{ "a /b x-systemd.requires-mounts-for=c", "must be an absolute name" },
		{ "a /b x-systemd.requires-mounts-for", "must be an absolute name" },
	};
	char name[256] = "", *why;
	struct tab_entry entry;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(lines); i++)
		wrong(lines[i].line, lines[i].said);
	memset(name, 'x', 128);
	strcpy(name + 128, " /a");
	wrong(name, "must have 1 to 127 letters");
	good(name + 1, &entry);
	tab_entry_free(&entry);

	memcpy(buf, "a\0/b", 5);
	assert_int_equal(tab_parse(buf, 4, &entry, &why), TAB_WRONG);
	assert_string_equal(why, "there is a byte of 0");
	free(why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing),
		cmocka_unit_test(fields),
		cmocka_unit_test(options),
		cmocka_unit_test(malformed),
	};

	return cmocka_run_group_tests_name("tab", tests, NULL, NULL);
}
