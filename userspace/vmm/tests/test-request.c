// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the parser makes of requests, valid and invalid ones.
 */
#include "test.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <stdbool.h>
#include <string.h>

#include "blk-request.h"

#define MIB (1024 * 1024)

static struct blk_limits lim;
static struct blk_request rq;
static struct vq_chain chain;
static struct virtio_blk_outhdr hdr;
static uint8_t out[8192], in[8192], status;

static int setup(void **state)
{
	(void)state;
	lim = (struct blk_limits) {
		.capacity = MIB, .block_size = 512, .memory_align = 512,
		.max_discard = 65536, .max_write_zeroes = 32768, .id = "serial",
	};
	memset(&rq, 0xee, sizeof(rq));
	memset(&hdr, 0, sizeof(hdr));
	memset(in, 0, sizeof(in));
	status = 0xff;
	return 0;
}

/*
 * A header, `n_out` bytes to read, `n_in` bytes to write and a status, each in a buffer of its own.
 */
static int parse(uint32_t type, uint64_t sector, size_t n_out, size_t n_in)
{
	unsigned int n = 0;

	hdr.type = type;
	hdr.sector = sector;
	chain.out = (struct iov_list) { .v = chain.iov };
	chain.iov[n++] = (struct iovec) { &hdr, sizeof(hdr) };
	if (n_out)
		chain.iov[n++] = (struct iovec) { out, n_out };
	chain.out.n = n;
	chain.in = (struct iov_list) { .v = &chain.iov[n] };
	if (n_in)
		chain.iov[n++] = (struct iovec) { in, n_in };
	chain.iov[n++] = (struct iovec) { &status, 1 };
	chain.in.n = n - chain.out.n;
	return blk_parse(&rq, &lim, &chain);
}

static void expect_answer(uint8_t answer)
{
	assert_int_equal(rq.op, BLK_ANSWER);
	assert_int_equal(rq.answer, answer);
	blk_answer(&rq, rq.answer);
	assert_int_equal(status, answer);
}

static void read_request(void **state)
{
	(void)state;
	assert_int_equal(parse(VIRTIO_BLK_T_IN, 5, 0, 1024), 0);
	assert_int_equal(rq.op, BLK_READ);
	assert_int_equal(rq.offset, 5 * 512);
	assert_int_equal(rq.len, 1024);
	assert_int_equal(rq.data.n, 1);
	assert_ptr_equal(rq.data.v->iov_base, in);
	assert_ptr_equal(rq.status, &status);
	assert_int_equal(blk_answer(&rq, VIRTIO_BLK_S_OK), 1025);
	assert_int_equal(blk_answer(&rq, VIRTIO_BLK_S_IOERR), 1);
}

static void write_request(void **state)
{
	(void)state;
	assert_int_equal(parse(VIRTIO_BLK_T_OUT, 2047, 512, 0), 0);
	assert_int_equal(rq.op, BLK_WRITE);
	assert_int_equal(rq.offset, MIB - 512);
	assert_ptr_equal(rq.data.v->iov_base, out);
	assert_int_equal(blk_answer(&rq, VIRTIO_BLK_S_OK), 1);
}

/* The header in two buffers, data in the buffer of the header, the answer in that of the data. */
static void any_layout(void **state)
{
	uint8_t glued[513];

	(void)state;
	hdr.type = VIRTIO_BLK_T_IN;
	hdr.sector = 1;
	chain.iov[0] = (struct iovec) { &hdr, 7 };
	chain.iov[1] = (struct iovec) { (char *)&hdr + 7, sizeof(hdr) - 7 };
	chain.iov[2] = (struct iovec) { glued, sizeof(glued) };
	chain.out = (struct iov_list) { chain.iov, 2 };
	chain.in = (struct iov_list) { chain.iov + 2, 1 };
	assert_int_equal(blk_parse(&rq, &lim, &chain), 0);
	assert_int_equal(rq.op, BLK_READ);
	assert_int_equal(rq.len, 512);
	assert_ptr_equal(rq.status, &glued[512]);

	hdr.type = VIRTIO_BLK_T_OUT;
	memcpy(out, &hdr, sizeof(hdr));
	chain.iov[0] = (struct iovec) { out, sizeof(hdr) + 512 };
	chain.iov[1] = (struct iovec) { &status, 1 };
	chain.out = (struct iov_list) { chain.iov, 1 };
	chain.in = (struct iov_list) { chain.iov + 1, 1 };
	assert_int_equal(blk_parse(&rq, &lim, &chain), 0);
	assert_int_equal(rq.op, BLK_WRITE);
	assert_ptr_equal(rq.data.v->iov_base, out + sizeof(hdr));
	assert_int_equal(rq.len, 512);
}

static void no_whole_header(void **state)
{
	(void)state;
	chain.iov[0] = (struct iovec) { &hdr, 15 };
	chain.iov[1] = (struct iovec) { &status, 1 };
	chain.out = (struct iov_list) { chain.iov, 1 };
	chain.in = (struct iov_list) { chain.iov + 1, 1 };
	assert_int_equal(blk_parse(&rq, &lim, &chain), -EPROTO);
	chain.out = (struct iov_list) { chain.iov, 0 };
	assert_int_equal(blk_parse(&rq, &lim, &chain), -EPROTO);
}

static void no_room_for_the_answer(void **state)
{
	(void)state;
	chain.iov[0] = (struct iovec) { &hdr, 16 };
	chain.out = (struct iov_list) { chain.iov, 1 };
	chain.in = (struct iov_list) { chain.iov + 1, 0 };
	assert_int_equal(blk_parse(&rq, &lim, &chain), -EPROTO);
}

static void outside_the_disk(void **state)
{
	static const uint64_t sectors[] = {
		2047, 2048, UINT64_MAX, UINT64_MAX / 512, 1ULL << 55, (1ULL << 55) - 1,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sectors) / sizeof(sectors[0]); i++) {
		assert_int_equal(parse(VIRTIO_BLK_T_IN, sectors[i], 0, 1024), 0);
		expect_answer(VIRTIO_BLK_S_IOERR);
		assert_int_equal(parse(VIRTIO_BLK_T_OUT, sectors[i], 1024, 0), 0);
		expect_answer(VIRTIO_BLK_S_IOERR);
	}
}

static void odd_lengths(void **state)
{
	(void)state;
	assert_int_equal(parse(VIRTIO_BLK_T_IN, 0, 0, 0), 0);
	expect_answer(VIRTIO_BLK_S_IOERR);
	assert_int_equal(parse(VIRTIO_BLK_T_IN, 0, 0, 511), 0);
	expect_answer(VIRTIO_BLK_S_IOERR);
	assert_int_equal(parse(VIRTIO_BLK_T_OUT, 0, 513, 0), 0);
	expect_answer(VIRTIO_BLK_S_IOERR);
	lim.block_size = 4096;
	assert_int_equal(parse(VIRTIO_BLK_T_OUT, 0, 512, 0), 0);
	expect_answer(VIRTIO_BLK_S_IOERR);
	assert_int_equal(parse(VIRTIO_BLK_T_OUT, 1, 4096, 0), 0);
	expect_answer(VIRTIO_BLK_S_IOERR);
	assert_int_equal(parse(VIRTIO_BLK_T_OUT, 8, 4096, 0), 0);
	assert_int_equal(rq.op, BLK_WRITE);
}

static void readonly_disk(void **state)
{
	(void)state;
	lim.readonly = true;
	assert_int_equal(parse(VIRTIO_BLK_T_OUT, 0, 512, 0), 0);
	expect_answer(VIRTIO_BLK_S_IOERR);
	assert_int_equal(parse(VIRTIO_BLK_T_IN, 0, 0, 512), 0);
	assert_int_equal(rq.op, BLK_READ);
	assert_int_equal(parse(VIRTIO_BLK_T_DISCARD, 0, 16, 0), 0);
	expect_answer(VIRTIO_BLK_S_IOERR);
}

static void flush(void **state)
{
	(void)state;
	assert_int_equal(parse(VIRTIO_BLK_T_FLUSH, 0, 0, 0), 0);
	assert_int_equal(rq.op, BLK_FLUSH);
}

static void unknown_types(void **state)
{
	static const uint32_t types[] = { 2, 3, 5, 7, 12, 14, 16, 0x80000000, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		assert_int_equal(parse(types[i], 0, 512, 512), 0);
		expect_answer(VIRTIO_BLK_S_UNSUPP);
	}
}

static void get_id(void **state)
{
	(void)state;
	assert_int_equal(parse(VIRTIO_BLK_T_GET_ID, 0, 0, 20), 0);
	expect_answer(VIRTIO_BLK_S_OK);
	assert_memory_equal(in, "serial\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
	assert_int_equal(blk_answer(&rq, VIRTIO_BLK_S_OK), 21);
	assert_int_equal(parse(VIRTIO_BLK_T_GET_ID, 0, 0, 19), 0);
	expect_answer(VIRTIO_BLK_S_IOERR);
}

static void set_range(unsigned int i, uint64_t sector, uint32_t n, uint32_t flags)
{
	struct virtio_blk_discard_write_zeroes r = { sector, n, flags };

	memcpy(out + i * sizeof(r), &r, sizeof(r));
}

static void discard(void **state)
{
	(void)state;
	set_range(0, 8, 16, 0);
	set_range(1, 2040, 8, 0);
	assert_int_equal(parse(VIRTIO_BLK_T_DISCARD, 0, 32, 0), 0);
	assert_int_equal(rq.op, BLK_DISCARD);
	assert_int_equal(rq.nranges, 2);
	assert_int_equal(rq.range[0].offset, 4096);
	assert_int_equal(rq.range[0].len, 8192);
	assert_int_equal(rq.range[1].offset, MIB - 4096);
}

static void write_zeroes(void **state)
{
	(void)state;
	set_range(0, 0, 64, 1);
	set_range(1, 64, 64, 0);
	assert_int_equal(parse(VIRTIO_BLK_T_WRITE_ZEROES, 0, 32, 0), 0);
	assert_int_equal(rq.op, BLK_WRITE_ZEROES);
	assert_true(rq.range[0].unmap);
	assert_false(rq.range[1].unmap);
}

static void bad_ranges(void **state)
{
	(void)state;
	/* too long for the device; outside; length not a multiple; too many ranges; none at all */
	set_range(0, 0, 129, 0);
	assert_int_equal(parse(VIRTIO_BLK_T_DISCARD, 0, 16, 0), 0);
	expect_answer(VIRTIO_BLK_S_IOERR);
	set_range(0, 0, 65, 0);
	assert_int_equal(parse(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, 0), 0);
	expect_answer(VIRTIO_BLK_S_IOERR);
	set_range(0, 2040, 9, 0);
	assert_int_equal(parse(VIRTIO_BLK_T_DISCARD, 0, 16, 0), 0);
	expect_answer(VIRTIO_BLK_S_IOERR);
	set_range(0, UINT64_MAX, 1, 0);
	assert_int_equal(parse(VIRTIO_BLK_T_DISCARD, 0, 16, 0), 0);
	expect_answer(VIRTIO_BLK_S_IOERR);
	set_range(0, 0, 8, 0);
	assert_int_equal(parse(VIRTIO_BLK_T_DISCARD, 0, 17, 0), 0);
	expect_answer(VIRTIO_BLK_S_IOERR);
	assert_int_equal(parse(VIRTIO_BLK_T_DISCARD, 0, 0, 0), 0);
	expect_answer(VIRTIO_BLK_S_IOERR);
	memset(out, 0, sizeof(out));
	assert_int_equal(parse(VIRTIO_BLK_T_DISCARD, 0, (BLK_MAX_RANGES + 1) * 16, 0), 0);
	expect_answer(VIRTIO_BLK_S_IOERR);
	assert_int_equal(parse(VIRTIO_BLK_T_DISCARD, 0, BLK_MAX_RANGES * 16, 0), 0);
	assert_int_equal(rq.op, BLK_DISCARD);
}

static void unknown_flags(void **state)
{
	(void)state;
	set_range(0, 0, 8, 1);
	assert_int_equal(parse(VIRTIO_BLK_T_DISCARD, 0, 16, 0), 0);
	expect_answer(VIRTIO_BLK_S_UNSUPP);
	set_range(0, 0, 8, 2);
	assert_int_equal(parse(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, 0), 0);
	expect_answer(VIRTIO_BLK_S_UNSUPP);
}

static void not_offered(void **state)
{
	(void)state;
	lim.max_discard = lim.max_write_zeroes = 0;
	set_range(0, 0, 8, 0);
	assert_int_equal(parse(VIRTIO_BLK_T_DISCARD, 0, 16, 0), 0);
	expect_answer(VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(parse(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, 0), 0);
	expect_answer(VIRTIO_BLK_S_UNSUPP);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(read_request), T(write_request), T(any_layout), T(no_whole_header),
		T(no_room_for_the_answer), T(outside_the_disk), T(odd_lengths), T(readonly_disk),
		T(flush), T(unknown_types), T(get_id), T(discard), T(write_zeroes),
		T(bad_ranges), T(unknown_flags), T(not_offered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
