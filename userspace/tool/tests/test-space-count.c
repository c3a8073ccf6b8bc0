// SPDX-License-Identifier: GPL-2.0-only
/*
 * Estimates what a stream will write, with images made by QEMU, and the free space. No
 * device-mapper.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "space-count.h"
#include "space-room.h"
#include "test.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define SIZE (4 * MIB)
#define UNIT_BITS 12
#define UNITS (SIZE >> UNIT_BITS)

static void run(const char *command)
{
	if (system(command))
		fail_msg("%s", command);
}

static const struct tail no_tail;

static void open_image(struct space_layer *layer, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(space_layer_open(layer, fd, path, KIND_QCOW2, (uint64_t)st.st_size,
					  1 << 30, &no_tail), 0);
}

static void open_raw(struct space_layer *layer, const char *path, bool holes)
{
	struct stat st;
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(space_layer_open(layer, fd, path, KIND_RAW, (uint64_t)st.st_size, 0, &no_tail), 0);
	layer->holes = holes;
}

static void close_all(struct space_layer *layers, unsigned int nr)
{
	while (nr)
		space_layer_close(&layers[--nr]);
}

/* How much would be copied from the layers into top, in KiB. */
static void needs(struct space_layer *layers, unsigned int nr, struct space_layer *top,
		  unsigned int group_bits, uint64_t data, uint64_t unknown)
{
	struct space_need need;

	assert_int_equal(space_count(layers, nr, top, SIZE, UNIT_BITS, group_bits, &need), 0);
	assert_int_equal(need.data, data * KIB);
	assert_int_equal(need.unknown, unknown * KIB);
}

static void raw_layers(void **state)
{
	struct space_layer raw;
	int i;

	(void)state;
	run("truncate -s 4M raw && dd if=/dev/urandom of=raw bs=64k count=1 conv=notrunc status=none && "
	    "dd if=/dev/urandom of=raw bs=4k seek=300 count=1 conv=notrunc status=none && sync raw");
	open_raw(&raw, "raw", true);
	needs(&raw, 1, NULL, 0, 68, 0);
	/* 300 * 4 KiB is in the nineteenth group of 64 KiB */
	needs(&raw, 1, NULL, 16, 128, 0);
	/* one group, even if that exceeds the window */
	needs(&raw, 1, NULL, 40, 128 * KIB, 0);
	close_all(&raw, 1);
	open_raw(&raw, "raw", false);
	needs(&raw, 1, NULL, 0, 0, 4096);
	close_all(&raw, 1);
	/* shorter than the disk, and in the middle of a unit */
	run("truncate -s 4100 short");
	for (i = 0; i < 2; i++) {
		open_raw(&raw, "short", i);
		needs(&raw, 1, NULL, 0, 0, i ? 0 : 8);
		close_all(&raw, 1);
	}
}

static void layers_hide_each_other(void **state)
{
	struct space_layer l[3];

	(void)state;
	run("qemu-img create -q -f qcow2 a 4M && qemu-io -f qcow2 -c 'write 0 1M' -c 'write 3M 64k' a >out");
	/* data over data, zeros over data, data elsewhere; a part of a small cluster's unit */
	run("qemu-img create -q -f qcow2 -o cluster_size=512 -b a -F qcow2 b 4M && qemu-io -f qcow2 "
	    "-c 'write 64k 64k' -c 'write -z 256k 128k' -c 'write 2M 512' -c 'write -z 512k 512' "
	    "-c 'write -z 521k 3k' b >out");
	run("qemu-img create -q -f qcow2 -u -o extended_l2=on,cluster_size=128k,preallocation=metadata "
	    "-b b -F qcow2 top 4M && qemu-io -f qcow2 -c 'write 128k 4k' -c 'write -z 132k 4k' "
	    "-c 'write 3900k 4k' top >out");
	open_image(&l[0], "a");
	open_image(&l[1], "b");
	open_image(&l[2], "top");
	needs(l, 1, NULL, 0, 1024 + 64, 0);
	needs(l + 1, 1, NULL, 0, 64 + 4, 0);
	/* zeros in a part of a unit do not decide for the rest */
	needs(l, 2, NULL, 0, 1024 + 64 - 128 + 4, 0);
	needs(l, 2, &l[2], 0, 1024 + 64 - 128 + 4 - 8, 0);
	needs(l + 1, 1, &l[2], 0, 64 + 4, 0);
	needs(l, 0, &l[2], 0, 0, 0);
	close_all(l, 3);
}

static void shorter_layers(void **state)
{
	struct space_layer l[2];

	(void)state;
	run("qemu-img create -q -f qcow2 a 4M && qemu-io -f qcow2 -c 'write 0 4M' a >out");
	run("qemu-img create -q -f qcow2 -b a -F qcow2 b 1M && qemu-io -f qcow2 -c 'write 0 64k' b >out");
	open_image(&l[0], "a");
	open_image(&l[1], "b");
	needs(l, 2, NULL, 0, 1024, 0);
	close_all(l, 2);
}

static void broken_tables(void **state)
{
	struct space_layer layer;
	struct space_need need;
	const char *text;
	int fd, ret;

	(void)state;
	run("qemu-img create -q -f qcow2 a 4M && qemu-io -f qcow2 -c 'write 0 64k' a >out");
	open_image(&layer, "a");
	/* truncated after the L1 table, while it is open */
	run("truncate -s 256k a");
	quiet_begin();
	ret = space_count(&layer, 1, NULL, SIZE, UNIT_BITS, 0, &need);
	text = quiet_end();
	assert_int_equal(ret, -1);
	assert_non_null(strstr(text, "L2 table"));
	close_all(&layer, 1);
	run("truncate -s 192k a");
	fd = open("a", O_RDONLY);
	quiet_begin();
	ret = space_layer_open(&layer, fd, "a", KIND_QCOW2, 200 * KIB, 200 * KIB, &no_tail);
	text = quiet_end();
	assert_int_equal(ret, -1);
	assert_int_equal(layer.fd, -1);
}

/* Moves the L1 table of the image "a" behind its last cluster, and cuts the file off behind it. */
static void l1_to_the_end(void)
{
	int fd = open("a", O_RDWR);
	uint64_t where, l1;
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &where, 8, 40), 8);
	assert_int_equal(pread(fd, &l1, 8, (off_t)be64toh(where)), 8);
	assert_int_equal(fstat(fd, &st), 0);
	st.st_size = (st.st_size + 65535) / 65536 * 65536;
	assert_int_equal(pwrite(fd, &l1, 8, st.st_size), 8);
	where = htobe64((uint64_t)st.st_size);
	assert_int_equal(pwrite(fd, &where, 8, 40), 8);
	close(fd);
}

/* A loop device of the image shows whole sectors: the L1 table is in the tail. */
static void l1_in_the_tail(void **state)
{
	struct space_layer layer;
	struct tail tail;
	struct stat st;
	int fd;

	(void)state;
	run("qemu-img create -q -f qcow2 a 4M && qemu-io -f qcow2 -c 'write 1M 64k' a >out");
	l1_to_the_end();
	fd = open("a", O_RDONLY);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(tail_read(&tail, fd, (uint64_t)st.st_size), 0);
	assert_int_equal(tail.len, 8);
	close(fd);
	run("cp a device && truncate -s -8 device");
	fd = open("device", O_RDONLY);
	assert_int_equal(space_layer_open(&layer, fd, "device", KIND_QCOW2, (uint64_t)st.st_size - 8, 1 << 30, &tail), 0);
	needs(&layer, 1, NULL, 0, 64, 0);
	close_all(&layer, 1);
	fd = open("device", O_RDONLY);
	quiet_begin();
	assert_int_equal(space_layer_open(&layer, fd, "device", KIND_QCOW2, (uint64_t)st.st_size - 8, 1 << 30, &no_tail), -1);
	assert_non_null(strstr(quiet_end(), "L1 table is not inside"));
}

/* ---- random images against a model ---- */

enum { OPEN, DATA, ZERO };

static uint32_t seed;

static unsigned int below(unsigned int n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* A write; without subclusters, QEMU fills up whole clusters. */
static void random_write(FILE *f, uint8_t *model, unsigned int cluster_units)
{
	bool zero = !below(3);
	unsigned int unit = zero ? cluster_units : 1;
	unsigned int first = below((unsigned int)UNITS / unit) * unit;
	unsigned int nr = (1 + below(40 / unit + 1)) * unit;
	unsigned int i;

	if (first + nr > UNITS)
		nr = (unsigned int)UNITS - first;
	fprintf(f, "write %s %uk %uk\n", zero ? "-z" : "", first * 4, nr * 4);
	i = first / cluster_units * cluster_units;
	nr += first - i;
	nr = (nr + cluster_units - 1) / cluster_units * cluster_units;
	memset(model + i, zero ? ZERO : DATA, nr);
}

static void random_image(const char *name, unsigned int cluster_units, const char *options,
			 uint8_t *model)
{
	char command[256];
	FILE *f = fopen("script", "w");
	int i;

	assert_non_null(f);
	memset(model, OPEN, UNITS);
	for (i = 0; i < 12; i++)
		random_write(f, model, cluster_units);
	fclose(f);
	/* The backing file must not read as zeros: QEMU would fill up with zeros. */
	snprintf(command, sizeof(command),
		 "qemu-img create -q -f qcow2 -o %s -b full -F raw %s 4M && qemu-io -f qcow2 %s <script >out",
		 options, name, name);
	run(command);
}

static void random_layers(void **state)
{
	static const char extended[] = "extended_l2=on,cluster_size=128k";
	uint8_t model[4][UNITS];
	struct space_layer l[4];
	unsigned int round, i, j, want, all;

	(void)state;
	run("head -c 4M /dev/urandom >full");
	for (round = 1; round <= 5; round++) {
		seed = round;
		random_image("r0", 16, "cluster_size=64k", model[0]);
		random_image("r1", 1, extended, model[1]);
		random_image("r2", 1, "cluster_size=4k", model[2]);
		random_image("r3", 1, extended, model[3]);
		for (want = all = i = 0; i < UNITS; i++) {
			for (j = 4; j && model[j - 1][i] == OPEN; j--)
				;
			all += j && model[j - 1][i] == DATA;
			want += j && j < 4 && model[j - 1][i] == DATA;
		}
		open_image(&l[0], "r0");
		open_image(&l[1], "r1");
		open_image(&l[2], "r2");
		open_image(&l[3], "r3");
		assert_true(want > 0 && want < all);
		needs(l, 4, NULL, 0, all * 4, 0);
		needs(l, 3, &l[3], 0, want * 4, 0);
		close_all(l, 4);
	}
}

/* ---- room ---- */

static void room_of_files(void **state)
{
	struct space_room room;
	int fd;

	(void)state;
	run("truncate -s 1M sparse && dd if=/dev/urandom of=sparse bs=64k count=1 conv=notrunc status=none && sync sparse");
	fd = open("sparse", O_RDONLY);
	space_room_file(fd, "sparse", &room);
	assert_true(room.known);
	assert_true(room.bytes > 0);
	assert_true(room.group >= 512);
	assert_int_equal(room.holes, MIB - 64 * KIB);
	assert_non_null(strstr(room.where, "sparse"));
	space_room_free(&room);
	close(fd);
	/* as with --reserve */
	run("fallocate -l 1M sparse");
	fd = open("sparse", O_RDONLY);
	space_room_file(fd, "sparse", &room);
	assert_int_equal(room.holes, 0);
	space_room_free(&room);
	close(fd);
	fd = open("/dev/null", O_RDONLY);
	space_room_file(fd, "null", &room);
	assert_false(room.known);
	close(fd);
	space_room_device(0, &room);
	assert_false(room.known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(l1_in_the_tail),
		cmocka_unit_test(raw_layers),
		cmocka_unit_test(layers_hide_each_other),
		cmocka_unit_test(shorter_layers),
		cmocka_unit_test(broken_tables),
		cmocka_unit_test(random_layers),
		cmocka_unit_test(room_of_files),
	};

	return cmocka_run_group_tests_name("space", tests, scratch_setup, scratch_teardown);
}
