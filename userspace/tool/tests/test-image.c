// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parses headers: valid ones, damaged ones, and random damage (run it with SAN=1).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"
#include "test.h"

#define CLUSTER 65536
#define FILE_SIZE (1ULL << 30)

static uint8_t buf[CLUSTER];

static struct qcow2_header *header(void)
{
	return (struct qcow2_header *)buf;
}

/* Append an extension at off. Returns the offset of the next one. */
static size_t put_extension(size_t off, uint32_t type, const char *data, size_t len)
{
	struct qcow2_ext_header *ext = (struct qcow2_ext_header *)(buf + off);

	ext->type = htobe32(type);
	ext->length = htobe32((uint32_t)len);
	memcpy(ext + 1, data, len);
	return off + sizeof(*ext) + ((len + 7) & ~7UL);
}

/* A version 3 image of 1 MiB with clusters of 64 KiB, as QEMU makes it. */
static void make_header(void)
{
	struct qcow2_header *h = header();

	memset(buf, 0, sizeof(buf));
	h->magic = htobe32(QCOW2_MAGIC);
	h->version = htobe32(3);
	h->cluster_bits = htobe32(16);
	h->size = htobe64(1 << 20);
	h->l1_size = htobe32(1);
	h->l1_table_offset = htobe64(3 * CLUSTER);
	h->refcount_table_offset = htobe64(CLUSTER);
	h->refcount_table_clusters = htobe32(1);
	h->refcount_order = htobe32(4);
	h->header_length = htobe32(112);
}

static void set_backing(uint64_t off, const char *name, size_t len)
{
	header()->backing_file_offset = htobe64(off);
	header()->backing_file_size = htobe32((uint32_t)len);
	memcpy(buf + off, name, len);
}

static int parse(struct image *image)
{
	return image_parse(buf, sizeof(buf), "x.qcow2", FILE_SIZE, image);
}

/* Expect a refusal with a message that contains the file and why. */
static void refused(const char *why)
{
	struct image image;
	const char *text;
	int ret;

	quiet_begin();
	ret = parse(&image);
	text = quiet_end();
	assert_int_not_equal(ret, 0);
	assert_null(image.backing_name);
	assert_null(image.backing_format);
	assert_null(image.data_name);
	assert_non_null(strstr(text, "x.qcow2"));
	assert_non_null(strstr(text, why));
}

static void plain(void **state)
{
	struct image image;

	(void)state;
	make_header();
	assert_int_equal(parse(&image), 0);
	assert_int_equal(image.info.size, 1 << 20);
	assert_null(image.backing_name);
	assert_null(image.backing_format);
	assert_null(image.data_name);
	image_free(&image);
}

static void names(void **state)
{
	struct image image;
	size_t off = 112;

	(void)state;
	make_header();
	header()->incompatible_features = htobe64(QCOW2_INCOMPAT_DATA_FILE);
	off = put_extension(off, QCOW2_EXT_BACKING_FORMAT, "raw", 3);
	off = put_extension(off, 0x12345678, "private", 7);
	off = put_extension(off, QCOW2_EXT_DATA_FILE, "data.raw", 8);
	off = put_extension(off, QCOW2_EXT_END, "", 0);
	set_backing(off, "base.raw", 8);
	assert_int_equal(parse(&image), 0);
	assert_string_equal(image.backing_name, "base.raw");
	assert_string_equal(image.backing_format, "raw");
	assert_string_equal(image.data_name, "data.raw");
	image_free(&image);
}

/* The name of a data file has no meaning without the feature bit. */
/* What qemu-img shows is what is used. */
static void two_data_names(void **state)
{
	struct image image;
	size_t off;

	(void)state;
	make_header();
	header()->incompatible_features = htobe64(QCOW2_INCOMPAT_DATA_FILE);
	off = put_extension(112, QCOW2_EXT_DATA_FILE, "first.raw", 9);
	put_extension(off, QCOW2_EXT_DATA_FILE, "last.raw", 8);
	assert_int_equal(parse(&image), 0);
	assert_string_equal(image.data_name, "last.raw");
	image_free(&image);
}

static void data_name_without_bit(void **state)
{
	struct image image;

	(void)state;
	make_header();
	put_extension(112, QCOW2_EXT_DATA_FILE, "/etc/passwd", 11);
	assert_int_equal(parse(&image), 0);
	assert_null(image.data_name);
	image_free(&image);
}

/* Extensions end at the end marker, whatever follows it. */
static void nothing_after_the_end(void **state)
{
	struct image image;
	size_t off;

	(void)state;
	make_header();
	header()->incompatible_features = htobe64(QCOW2_INCOMPAT_DATA_FILE);
	off = put_extension(112, QCOW2_EXT_END, "", 0);
	put_extension(off, QCOW2_EXT_DATA_FILE, "x", 1);
	assert_int_equal(parse(&image), 0);
	assert_null(image.data_name);
	image_free(&image);
}

static void broken(void **state)
{
	(void)state;
	make_header();
	buf[0] = 0;
	refused("not a qcow2 image");
	make_header();
	header()->version = htobe32(4);
	refused("version 4");
	make_header();
	header()->size = htobe64((1 << 20) + 1);
	refused("multiple of 512");
	make_header();
	header()->crypt_method = htobe32(1);
	refused("encrypted");
	make_header();
	header()->incompatible_features = htobe64(1ULL << 40);
	refused("bit 40");
	make_header();
	header()->header_length = htobe32(105);
	refused("header length");
	make_header();
	set_backing(200, "a\0b", 3);
	refused("NUL");
	make_header();
	header()->backing_file_offset = htobe64(CLUSTER - 2);
	header()->backing_file_size = htobe32(3);
	refused("backing file name");
	make_header();
	header()->backing_file_offset = htobe64(UINT64_MAX - 1);
	header()->backing_file_size = htobe32(3);
	refused("backing file name");
	make_header();
	put_extension(112, QCOW2_EXT_BACKING_FORMAT, "r\0w", 3);
	refused("NUL");
	make_header();
	put_extension(112, 0x12345678, "", 0);
	((struct qcow2_ext_header *)(buf + 112))->length = htobe32(0xfffffff0);
	refused("too long");
}

static void short_files(void **state)
{
	struct image image;
	size_t len;

	(void)state;
	make_header();
	for (len = 0; len < sizeof(buf); len += len < 600 ? 1 : 4096) {
		/* Allocate exactly len bytes, so that a sanitizer sees a read beyond them. */
		uint8_t *copy = malloc(len ? len : 1);

		memcpy(copy, buf, len);
		quiet_begin();
		assert_int_not_equal(image_parse(copy, len, "x", len, &image), 0);
		quiet_end();
		free(copy);
	}
}

/* Only check that parsing ends and that names are strings. */
static void random_damage(void **state)
{
	unsigned int seed = 20, round, i;
	struct image image;

	(void)state;
	quiet_begin();
	for (round = 0; round < 20000; round++) {
		make_header();
		header()->incompatible_features = htobe64(QCOW2_INCOMPAT_DATA_FILE);
		put_extension(put_extension(112, QCOW2_EXT_BACKING_FORMAT, "qcow2", 5),
			      QCOW2_EXT_DATA_FILE, "data", 4);
		set_backing(600, "base", 4);
		for (i = 0; i < 4; i++)
			buf[8 + (size_t)rand_r(&seed) % 192] = (uint8_t)rand_r(&seed);
		if (!parse(&image)) {
			if (image.backing_name)
				assert_true(strlen(image.backing_name) <= QCOW2_MAX_BACKING_NAME);
			image_free(&image);
		}
		if (round % 256 == 0) {
			quiet_end();
			quiet_begin();
		}
	}
	quiet_end();
}

/* With images made by qemu-img. */
static void run(const char *command)
{
	assert_int_equal(system(command), 0);
}

static int check_writable(const char *path, const char **text)
{
	FILE *f = fopen(path, "r");
	struct image image;
	uint64_t size;
	int ret;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	size = (uint64_t)ftell(f);
	quiet_begin();
	assert_int_equal(image_read(fileno(f), path, size, &image), 0);
	ret = image_check_writable(fileno(f), path, size, &image, "REMEDY");
	*text = quiet_end();
	image_free(&image);
	fclose(f);
	return ret;
}

static void writable(void **state)
{
	const char *text;

	(void)state;
	run("qemu-img create -q -f qcow2 -o extended_l2=on,cluster_size=128k,preallocation=metadata good 64M");
	assert_int_equal(check_writable("good", &text), 0);
	run("qemu-img create -q -f qcow2 -o extended_l2=on,cluster_size=128k empty 64M");
	assert_int_not_equal(check_writable("empty", &text), 0);
	assert_non_null(strstr(text, "not prepared for writing"));
	assert_non_null(strstr(text, "(not prepared for writing: L1"));
	assert_non_null(strstr(text, ": REMEDY"));
	run("qemu-img create -q -f qcow2 plain 64M");
	assert_int_not_equal(check_writable("plain", &text), 0);
	assert_non_null(strstr(text, "not prepared for writing"));
	run("qemu-img create -q -f qcow2 -o extended_l2=on,cluster_size=64k,preallocation=metadata small 64M");
	assert_int_not_equal(check_writable("small", &text), 0);
	assert_non_null(strstr(text, "128 KiB"));
	run("cp good snapshots && qemu-img snapshot -c s snapshots");
	assert_int_not_equal(check_writable("snapshots", &text), 0);
	assert_non_null(strstr(text, "snapshot"));
	run("cp good bitmaps && qemu-img bitmap --add bitmaps b");
	assert_int_not_equal(check_writable("bitmaps", &text), 0);
	assert_non_null(strstr(text, "autoclear"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(names),
		cmocka_unit_test(two_data_names),
		cmocka_unit_test(data_name_without_bit),
		cmocka_unit_test(nothing_after_the_end),
		cmocka_unit_test(broken),
		cmocka_unit_test(short_files),
		cmocka_unit_test(random_damage),
		cmocka_unit_test(writable),
	};

	return cmocka_run_group_tests_name("image", tests, scratch_setup, scratch_teardown);
}
