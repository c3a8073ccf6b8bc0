// SPDX-License-Identifier: GPL-2.0-only
/*
 * Formats of image files, by what qemu-img makes of each, and the commands that are recommended.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format.h"
#include "macros.h"
#include "test.h"

static void run(const char *command)
{
	assert_int_equal(system(command), 0);
}

static const struct format *find(const char *path)
{
	int fd = open(path, O_RDONLY);
	const struct format *found;
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	found = format_find(fd, (uint64_t)st.st_size);
	close(fd);
	return found;
}

/* What it is, and the command at the end of the remedy makes a qcow2 image of it. */
static void check(const char *path, const char *driver)
{
	const struct format *found = find(path);
	char *remedy, *command;

	assert_non_null(found);
	assert_string_equal(found->driver, driver);
	assert_int_equal(format_by_driver(driver)->way, found->way);
	remedy = format_remedy(found, path);
	command = strstr(remedy, "convert it: ");
	assert_non_null(command);
	run(command + strlen("convert it: "));
	free(remedy);
}

/* All that qemu-img can make. */
static void qemu_formats(void **state)
{
	static const char *const formats[][2] = {
		{ "vmdk", "" }, { "vmdk", "subformat=streamOptimized" }, { "vmdk", "subformat=monolithicFlat" },
		{ "vhdx", "" }, { "vpc", "" }, { "vpc", "subformat=fixed" }, { "vdi", "" }, { "vdi", "static=on" },
		{ "qed", "" }, { "qcow", "" }, { "parallels", "" },
	};
	char command[200], path[100];
	size_t i;

	(void)state;
	run("rm -rf made && mkdir made");
	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		snprintf(path, sizeof(path), "made/it's %s,%zu.img", formats[i][0], i);
		snprintf(command, sizeof(command), "qemu-img create -q -f %s %s%s \"%s\" 8M", formats[i][0],
			 formats[i][1][0] ? "-o " : "", formats[i][1], path);
		run(command);
		check(path, formats[i][0]);
	}
	run("for i in made/*.qcow2; do qemu-img info -f qcow2 \"$i\" >/dev/null || exit 1; done");
	run("test $(ls made/*.qcow2 | wc -l) = 11");
}

static void encrypted(void **state)
{
	char *remedy, *command;

	(void)state;
	run("printf secret >KEYFILE; qemu-img create -q --object secret,id=key,file=KEYFILE -f qcow2 -o encrypt.format=aes,encrypt.key-secret=key 'a, b.qcow2' 1M");
	remedy = format_remedy_encrypted("a, b.qcow2");
	command = strstr(remedy, ": qemu-img");
	assert_non_null(command);
	run(command + 2);
	run("qemu-img info -f qcow2 'a, b-plain.qcow2' | grep -q 'virtual size: 1 MiB'");
	free(remedy);
	/* It measures the processor, and fails on a busy one: "Unable to get accurate CPU usage". */
	run("for i in $(seq 50); do qemu-img create -q --object secret,id=key,file=KEYFILE -f luks -o key-secret=key,iter-time=10 a.luks 1M 2>/dev/null && exit; done; exit 1");
	remedy = format_remedy(find("a.luks"), "a.luks");
	command = strstr(remedy, ": qemu-img");
	assert_non_null(command);
	assert_non_null(strstr(remedy, "cryptsetup open --readonly a.luks NAME"));
	run(command + 2);
	run("qemu-img info -f qcow2 a-plain.qcow2 | grep -q 'virtual size: 1 MiB'");
	free(remedy);
}

static void packed(void **state)
{
	char *remedy;

	(void)state;
	run("head -c 1M /dev/zero >disk.raw; gzip -k disk.raw; xz -k disk.raw; tar -cf disk.ova disk.raw");
	remedy = format_remedy(find("disk.raw.xz"), "disk.raw.xz");
	assert_string_equal(remedy, "unpack it first: xz -dk disk.raw.xz");
	free(remedy);
	assert_string_equal(find("disk.raw.gz")->driver, "gzip -dk");
	assert_string_equal(find("disk.ova")->driver, "tar -xf");
	assert_null(format_by_driver("xz -dk"));
}

/* No signature is found where there is no room for it, and none in an ordinary disk. */
static void raw_disks(void **state)
{
	(void)state;
	run(": >nothing; printf QF >two; printf 'QFI\\373\\0\\0\\0\\3' >eight; head -c 5000 /dev/zero >zeros");
	assert_null(find("nothing"));
	assert_null(find("two"));
	assert_null(find("zeros"));
	assert_int_equal(find("eight")->way, FORMAT_LAYER);
	run("printf 'cone''ctix' | dd of=zeros bs=1 seek=4488 conv=notrunc status=none");
	assert_string_equal(find("zeros")->what, "a fixed VHD image");
	assert_true(find("zeros")->at_end);
	run("printf 'cone''ctix' | dd of=zeros bs=1 seek=4487 conv=notrunc status=none");
	assert_null(find("zeros"));
}

static void new_name(const char *path, const char *want)
{
	char *name = format_new_name(path, "-top.qcow2");

	assert_string_equal(name, want);
	free(name);
}

static void new_names(void **state)
{
	(void)state;
	run("mkdir -p d; touch d/disk.img old-top.qcow2; ln -s nowhere old-2-top.qcow2");
	new_name("d/disk.img", "d/disk-top.qcow2");
	new_name("disk.QCOW2", "disk-top.qcow2");
	new_name("a.b", "a.b-top.qcow2");
	new_name(".img", ".img-top.qcow2");
	new_name("old.raw", "old-3-top.qcow2");
	new_name("/dev/vg/base", "base-top.qcow2");
	new_name("/dev/sda", "sda-top.qcow2");
	new_name("/disk", "/disk-top.qcow2");
	new_name("missing/disk.raw", "disk-top.qcow2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(qemu_formats),
		cmocka_unit_test(encrypted),
		cmocka_unit_test(packed),
		cmocka_unit_test(raw_disks),
		cmocka_unit_test(new_names),
	};

	return cmocka_run_group_tests_name("format", tests, scratch_setup, scratch_teardown);
}
