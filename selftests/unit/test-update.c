// SPDX-License-Identifier: GPL-2.0-only
/*
 * The backing file's name changes in the header: whatever a crash leaves names the old or the new.
 */
#include "test.h"

static char disk[CLUSTER];	/* what is durable */
static char copy[CLUSTER];

/* The name that the header on disk says, "" for none, "?" for a header that does not parse. */
static const char *name_on_disk(char *out, size_t len)
{
	struct q2_info i;

	if (parse(disk, &i))
		return "?";
	snprintf(out, len, "%.*s", (int)i.backing_len, disk + i.backing_offset);
	return out;
}

static int prepare(const char *name, const char *format, struct q2_header_update *up)
{
	struct q2_info i;

	if (parse(disk, &i))
		return -1;
	memcpy(copy, disk, CLUSTER);
	return q2_set_backing(&i, copy, name, format, up, &last_error);
}

/* Both steps; after each one the header has to be the old or the new one. */
static void change(const char *name, const char *format)
{
	char old[1100], now[1100];
	struct q2_header_update up = { 0 };
	struct q2_info i;

	snprintf(old, sizeof(old), "%s", name_on_disk(now, sizeof(now)));
	CHECK(!prepare(name, format, &up));
	memcpy(disk + up.slot_offset, copy + up.slot_offset, up.slot_len);
	/* the slot must not touch what is in use, nor the sector that comes second */
	CHECK(!strcmp(name_on_disk(now, sizeof(now)), old), "after the first step: %s", now);
	memcpy(disk, copy, 512);
	CHECK(!strcmp(name_on_disk(now, sizeof(now)), name ? name : ""), "after all: %s", now);
	CHECK(!memcmp(disk, copy, CLUSTER), "more than the two writes is different");
	CHECK(!parse(disk, &i));
	if (name)
		CHECK(i.format_len == strlen(format) &&
		      !memcmp(disk + i.format_offset, format, i.format_len));
}

static void rename_it(void)
{
	make_header(disk);
	change("b.qcow2", "qcow2");
	change("a.raw", "raw");
	change("c.qcow2", "qcow2");
}

static void many(void)
{
	char name[600];
	unsigned int n;

	make_header(disk);
	for (n = 1; n < 600; n += 7) {
		memset(name, 'a' + n % 26, n);
		name[n] = 0;
		change(name, n & 1 ? "raw" : "qcow2");
	}
}

static void drop(void)
{
	struct q2_info i;

	make_header(disk);
	change(NULL, NULL);
	CHECK(!parse(disk, &i) && !i.backing_offset && !i.backing_len);
	CHECK(!memcmp(disk + 8, "\0\0\0\0\0\0\0\0\0\0\0\0", 12), "offset and size are 0");
	/* and on again */
	change("b.qcow2", "qcow2");
	change(NULL, NULL);
}

static void extensions_survive(void)
{
	make_header(disk);
	change("x", "qcow2");
	CHECK(!memcmp(disk + 136, "hello", 5));
	CHECK(be32toh(*(__be32 *)(disk + 128)) == 0x11223344);
	change(NULL, NULL);
	CHECK(!memcmp(disk + 136, "hello", 5));
}

static void limits(void)
{
	struct q2_header_update up;
	char name[2000];

	make_header(disk);
	memset(name, 'n', sizeof(name));
	name[1023] = 0;
	change(name, "raw");
	memset(name, 'm', sizeof(name));
	name[1024] = 0;
	CHECK(prepare(name, "raw", &up) == -ENAMETOOLONG);
	CHECK(!memcmp(copy, disk, CLUSTER), "changed in spite of the error");
}

/* No format extension, or one with too little room for the new format. */
static void no_format(void)
{
	struct q2_header_update up;
	struct q2_info i;
	int err;

	make_header(disk);
	put32(disk, 112, 0x55667788);
	CHECK(!parse(disk, &i) && !i.format_offset);
	err = prepare("b.qcow2", "qcow2", &up);
	if (!err) {
		change("b.qcow2", "qcow2");
		return;
	}
	CHECK(err == -EMEDIUMTYPE || err == -ENOSPC, "error %d", err);
	CHECK(!memcmp(copy, disk, CLUSTER), "changed in spite of the error");
	/* dropping the name needs no format */
	change(NULL, NULL);
}

/* A header cluster that is full of an extension has no second slot. */
static void no_room(void)
{
	struct q2_header_update up;
	struct q2_info i;
	int err;

	make_header(disk);
	memset(disk + 136, 'x', CLUSTER - 136);
	put32(disk, 132, CLUSTER - 136 - 8 - 8);
	memset(disk + CLUSTER - 16, 0, 8);
	memcpy(disk + CLUSTER - 8, "a.rawxxx", 8);
	put64(disk, H_BACKING, CLUSTER - 8);
	CHECK(!parse(disk, &i));
	err = prepare("a-much-longer-name", "raw", &up);
	CHECK(err == -ENOSPC || err == -EMEDIUMTYPE, "error %d", err);
	CHECK(!memcmp(copy, disk, CLUSTER), "changed in spite of the error");
	change(NULL, NULL);
}

const struct test update_tests[] = {
	{ "another backing file", rename_it },
	{ "names of many lengths in turn", many },
	{ "no backing file any more", drop },
	{ "extensions of others survive", extensions_survive },
	{ "the longest name, and one more", limits },
	{ "a header without a format", no_format },
	{ "a header without room", no_room },
	{ NULL, NULL },
};
