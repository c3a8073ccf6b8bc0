// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device's side of a virtqueue, with valid and with hostile rings.
 */
#include "test.h"

#include <errno.h>

#include "driver.h"

#define NEXT	VRING_DESC_F_NEXT
#define WRITE	VRING_DESC_F_WRITE
#define INDIR	VRING_DESC_F_INDIRECT

struct fixture {
	struct driver d;
	struct virtqueue vq;
	struct vq_chain c;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct vq_config cfg;

	driver_init(&f->d, 8);
	cfg = driver_config(&f->d);
	*state = f;
	return vq_init(&f->vq, &f->d.mem, &cfg, true, false);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	driver_free(&f->d);
	free(f);
	return 0;
}

static void reinit(struct fixture *f, bool indirect, bool event_idx)
{
	struct vq_config cfg = driver_config(&f->d);

	assert_int_equal(vq_init(&f->vq, &f->d.mem, &cfg, indirect, event_idx), 0);
}

static void expect_rule(struct fixture *f, const char *rule)
{
	assert_int_equal(vq_pop(&f->vq, &f->c), -EPROTO);
	assert_non_null(f->vq.broken);
	if (!strstr(f->vq.broken, rule))
		fail_msg("broken is '%s', not '%s'", f->vq.broken, rule);
}

/* Chain 0 must break the queue, by that rule and permanently. */
static void expect_broken(struct fixture *f, const char *rule)
{
	offer(&f->d, 0);
	expect_rule(f, rule);
	set_desc(&f->d, 0, DATA_GPA, 16, 0, 0);
	assert_int_equal(vq_pop(&f->vq, &f->c), -EPROTO);
	assert_int_equal(used_count(&f->d), 0);
}

static void mem_ranges(void **state)
{
	struct fixture *f = *state;
	const struct guest_mem *m = &f->d.mem;

	assert_ptr_equal(mem_range(m, 0, 1), m->region[0].hva);
	assert_ptr_equal(mem_range(m, 0, MEM_BYTES), m->region[0].hva);
	assert_ptr_equal(mem_range(m, MEM_BYTES - 1, 1), m->region[0].hva + MEM_BYTES - 1);
	assert_ptr_equal(mem_range(m, HIGH_GPA + 5, HIGH_BYTES - 5), m->region[1].hva + 5);
	assert_null(mem_range(m, 0, 0));
	assert_null(mem_range(m, 0, MEM_BYTES + 1));
	assert_null(mem_range(m, MEM_BYTES - 1, 2));
	assert_null(mem_range(m, MEM_BYTES, 1));
	assert_null(mem_range(m, HIGH_GPA - 1, 2));
	assert_null(mem_range(m, HIGH_GPA + 1, HIGH_BYTES));
	assert_null(mem_range(m, UINT64_MAX, 1));
	assert_null(mem_range(m, UINT64_MAX, UINT64_MAX));
	assert_null(mem_range(m, 1, UINT64_MAX));
	assert_null(mem_range(m, HIGH_GPA + 1, UINT64_MAX - 1));
}

static void init_refuses(void **state)
{
	static const struct vq_config bad[] = {
		{ 0, DESC_GPA, AVAIL_GPA, USED_GPA },
		{ 3, DESC_GPA, AVAIL_GPA, USED_GPA },
		{ 512, DESC_GPA, AVAIL_GPA, USED_GPA },
		{ 8, DESC_GPA + 8, AVAIL_GPA, USED_GPA },
		{ 8, DESC_GPA, AVAIL_GPA + 1, USED_GPA },
		{ 8, DESC_GPA, AVAIL_GPA, USED_GPA + 2 },
		{ 8, MEM_BYTES - 112, AVAIL_GPA, USED_GPA },
		{ 8, DESC_GPA, MEM_BYTES - 20, USED_GPA },
		{ 8, DESC_GPA, AVAIL_GPA, MEM_BYTES - 68 },
		{ 8, HIGH_GPA - 16, AVAIL_GPA, USED_GPA },
		{ 8, DESC_GPA, UINT64_MAX - 1, USED_GPA },
	};
	struct fixture *f = *state;
	struct vq_config good = driver_config(&f->d);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(vq_init(&f->vq, &f->d.mem, &bad[i], true, true), -EPROTO);
		assert_non_null(f->vq.broken);
		assert_int_equal(vq_pop(&f->vq, &f->c), -EPROTO);
	}
	/* Up to the end of memory is valid: 8 * 16, 6 + 2 * 8, 6 + 8 * 8. */
	good.desc = MEM_BYTES - 128;
	good.avail = HIGH_GPA + HIGH_BYTES - 22;
	assert_int_equal(vq_init(&f->vq, &f->d.mem, &good, true, true), 0);
}

static void pops_and_pushes(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(vq_pop(&f->vq, &f->c), 0);
	/* More rounds than a 16-bit index has values, so that it wraps. */
	for (unsigned int i = 0; i < 70000; i++) {
		uint16_t head = i % 5;

		set_desc(&f->d, head, DATA_GPA, 16, NEXT, 6);
		set_desc(&f->d, 6, HIGH_GPA, 512, NEXT | WRITE, 7);
		set_desc(&f->d, 7, DATA_GPA + 99, 1, WRITE, 0);
		offer(&f->d, head);
		assert_int_equal(vq_pop(&f->vq, &f->c), 1);
		assert_int_equal(f->c.head, head);
		assert_int_equal(f->c.out.n, 1);
		assert_int_equal(f->c.in.n, 2);
		assert_ptr_equal(f->c.out.v[0].iov_base, at(&f->d, DATA_GPA));
		assert_ptr_equal(f->c.in.v[0].iov_base, f->d.mem.region[1].hva);
		assert_int_equal(f->c.in.v[1].iov_len, 1);
		assert_int_equal(vq_pop(&f->vq, &f->c), 0);
		vq_push(&f->vq, head, 513);
		assert_int_equal(used_count(&f->d), (uint16_t)(i + 1));
		assert_int_equal(used_at(&f->d, i).id, head);
		assert_int_equal(used_at(&f->d, i).len, 513);
	}
}

static void whole_ring_in_flight(void **state)
{
	struct fixture *f = *state;

	for (uint16_t i = 0; i < 8; i++) {
		set_desc(&f->d, i, DATA_GPA, 16, 0, 0);
		offer(&f->d, i);
	}
	for (int i = 0; i < 8; i++)
		assert_int_equal(vq_pop(&f->vq, &f->c), 1);
	assert_int_equal(vq_pop(&f->vq, &f->c), 0);
	offer(&f->d, 3);
	expect_rule(f, "more buffers");
}

static void index_runs_ahead(void **state)
{
	struct fixture *f = *state;

	f->d.avail[1] = 9;
	expect_rule(f, "runs ahead");
}

static void available_entry_out_of_range(void **state)
{
	struct fixture *f = *state;

	offer(&f->d, 8);
	expect_rule(f, "index out of range");
}

static void next_out_of_range(void **state)
{
	struct fixture *f = *state;

	set_desc(&f->d, 0, DATA_GPA, 16, NEXT, 8);
	expect_broken(f, "index out of range");
}

static void loop_of_one(void **state)
{
	struct fixture *f = *state;

	set_desc(&f->d, 0, DATA_GPA, 16, NEXT, 0);
	expect_broken(f, "loops");
}

static void loop_of_three(void **state)
{
	struct fixture *f = *state;

	set_desc(&f->d, 0, DATA_GPA, 16, NEXT, 5);
	set_desc(&f->d, 5, DATA_GPA, 16, NEXT, 2);
	set_desc(&f->d, 2, DATA_GPA, 16, NEXT, 0);
	expect_broken(f, "loops");
}

static void chain_as_long_as_the_ring(void **state)
{
	struct fixture *f = *state;

	for (uint16_t i = 0; i < 8; i++)
		set_desc(&f->d, i, DATA_GPA, 16, i < 7 ? NEXT : 0, i + 1);
	offer(&f->d, 0);
	assert_int_equal(vq_pop(&f->vq, &f->c), 1);
	assert_int_equal(f->c.out.n, 8);
}

static void readable_behind_writable(void **state)
{
	struct fixture *f = *state;

	set_desc(&f->d, 0, DATA_GPA, 16, NEXT | WRITE, 1);
	set_desc(&f->d, 1, DATA_GPA, 16, 0, 0);
	expect_broken(f, "readable buffer behind");
}

static void empty_buffer(void **state)
{
	struct fixture *f = *state;

	set_desc(&f->d, 0, DATA_GPA, 0, 0, 0);
	expect_broken(f, "buffer is empty or lies outside");
}

static void buffer_past_the_end(void **state)
{
	struct fixture *f = *state;

	set_desc(&f->d, 0, MEM_BYTES - 15, 16, 0, 0);
	expect_broken(f, "lies outside");
}

static void buffer_wraps_around(void **state)
{
	struct fixture *f = *state;

	set_desc(&f->d, 0, UINT64_MAX - 7, 16, 0, 0);
	expect_broken(f, "lies outside");
}

static void buffer_of_4gib(void **state)
{
	struct fixture *f = *state;

	set_desc(&f->d, 0, DATA_GPA, UINT32_MAX, 0, 0);
	expect_broken(f, "lies outside");
}

static struct vring_desc *table(struct fixture *f)
{
	return at(&f->d, TABLE_GPA);
}

static void indirect(void **state)
{
	struct fixture *f = *state;

	/* A direct descriptor first, and a WRITE flag, which has no meaning on an indirect one. */
	set_desc(&f->d, 0, DATA_GPA, 16, NEXT, 1);
	set_desc(&f->d, 1, TABLE_GPA, 2 * 16, INDIR | WRITE, 0);
	table(f)[0] = (struct vring_desc) { DATA_GPA + 16, 32, NEXT, 1 };
	table(f)[1] = (struct vring_desc) { DATA_GPA + 64, 1, WRITE, 0 };
	offer(&f->d, 0);
	assert_int_equal(vq_pop(&f->vq, &f->c), 1);
	assert_int_equal(f->c.out.n, 2);
	assert_int_equal(f->c.in.n, 1);
	assert_int_equal(iov_bytes(&f->c.out), 48);
}

static void fill_table(struct fixture *f, uint16_t n)
{
	set_desc(&f->d, 0, DATA_GPA, 16, NEXT, 1);
	set_desc(&f->d, 1, TABLE_GPA, n * 16, INDIR, 0);
	for (uint16_t i = 0; i < n; i++)
		table(f)[i] = (struct vring_desc) { DATA_GPA, 16, i < n - 1 ? NEXT : 0, i + 1 };
}

/* Linux makes its ring smaller if memory is short, and sends as many segments as before. */
static void indirect_longer_than_the_ring(void **state)
{
	struct fixture *f = *state;

	fill_table(f, VQ_MAX_SIZE - 1);
	offer(&f->d, 0);
	assert_int_equal(vq_pop(&f->vq, &f->c), 1);
	assert_int_equal(f->c.out.n, VQ_MAX_SIZE);
}

static void indirect_and_direct_too_long(void **state)
{
	struct fixture *f = *state;

	fill_table(f, VQ_MAX_SIZE);
	expect_broken(f, "too long");
}

static void indirect_not_negotiated(void **state)
{
	struct fixture *f = *state;

	reinit(f, false, false);
	set_desc(&f->d, 0, TABLE_GPA, 16, INDIR, 0);
	table(f)[0] = (struct vring_desc) { DATA_GPA, 16, 0, 0 };
	expect_broken(f, "where none may be");
}

static void indirect_in_indirect(void **state)
{
	struct fixture *f = *state;

	set_desc(&f->d, 0, TABLE_GPA, 16, INDIR, 0);
	table(f)[0] = (struct vring_desc) { TABLE_GPA, 16, INDIR, 0 };
	expect_broken(f, "where none may be");
}

static void indirect_with_successor(void **state)
{
	struct fixture *f = *state;

	set_desc(&f->d, 0, TABLE_GPA, 16, INDIR | NEXT, 1);
	set_desc(&f->d, 1, DATA_GPA, 16, 0, 0);
	table(f)[0] = (struct vring_desc) { DATA_GPA, 16, 0, 0 };
	expect_broken(f, "with a successor");
}

static void indirect_lengths(void **state)
{
	static const uint32_t bad[] = { 0, 15, 17, (VQ_MAX_SIZE + 1) * 16, 0xfffffff0 };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		reinit(f, true, false);
		f->d.avail[1] = 0;
		set_desc(&f->d, 0, TABLE_GPA, bad[i], INDIR, 0);
		table(f)[0] = (struct vring_desc) { DATA_GPA, 16, 0, 0 };
		expect_broken(f, "bad length");
	}
}

static void indirect_outside(void **state)
{
	struct fixture *f = *state;

	set_desc(&f->d, 0, MEM_BYTES - 16, 32, INDIR, 0);
	expect_broken(f, "table lies outside");
}

static void indirect_loop(void **state)
{
	struct fixture *f = *state;

	set_desc(&f->d, 0, TABLE_GPA, 32, INDIR, 0);
	table(f)[0] = (struct vring_desc) { DATA_GPA, 16, NEXT, 1 };
	table(f)[1] = (struct vring_desc) { DATA_GPA, 16, NEXT, 0 };
	expect_broken(f, "loops");
}

static void indirect_next_out_of_range(void **state)
{
	struct fixture *f = *state;

	set_desc(&f->d, 0, TABLE_GPA, 32, INDIR, 0);
	table(f)[0] = (struct vring_desc) { DATA_GPA, 16, NEXT, 2 };
	table(f)[2] = (struct vring_desc) { DATA_GPA, 16, 0, 0 };
	expect_broken(f, "index out of range");
}

static void serve(struct fixture *f)
{
	set_desc(&f->d, 0, DATA_GPA, 16, 0, 0);
	offer(&f->d, 0);
	assert_int_equal(vq_pop(&f->vq, &f->c), 1);
	vq_push(&f->vq, 0, 0);
}

static void interrupts_by_flag(void **state)
{
	struct fixture *f = *state;

	assert_false(vq_interrupt_due(&f->vq));
	serve(f);
	assert_true(vq_interrupt_due(&f->vq));
	assert_false(vq_interrupt_due(&f->vq));
	f->d.avail[0] = VRING_AVAIL_F_NO_INTERRUPT;
	serve(f);
	assert_false(vq_interrupt_due(&f->vq));
}

static void interrupts_by_event_index(void **state)
{
	struct fixture *f = *state;
	uint16_t *event = &f->d.avail[2 + 8];

	reinit(f, true, true);
	*event = 2;		/* interrupt when the third is used */
	serve(f);
	assert_false(vq_interrupt_due(&f->vq));
	serve(f);
	assert_false(vq_interrupt_due(&f->vq));
	serve(f);
	serve(f);
	assert_true(vq_interrupt_due(&f->vq));
	serve(f);
	assert_false(vq_interrupt_due(&f->vq));
}

static void kicks_by_flag(void **state)
{
	struct fixture *f = *state;
	uint16_t *flags = (uint16_t *)f->d.used;

	vq_kicks_off(&f->vq);
	assert_int_equal(*flags, VRING_USED_F_NO_NOTIFY);
	assert_false(vq_kicks_on(&f->vq));
	assert_int_equal(*flags, 0);
	offer(&f->d, 0);
	assert_true(vq_kicks_on(&f->vq));
}

static void kicks_by_event_index(void **state)
{
	struct fixture *f = *state;
	uint16_t *event = (uint16_t *)(f->d.used + 4 + 8 * 8);

	reinit(f, true, true);
	serve(f);
	serve(f);
	vq_kicks_off(&f->vq);
	assert_int_equal(*event, 0);
	assert_false(vq_kicks_on(&f->vq));
	assert_int_equal(*event, 2);
	assert_int_equal(*(uint16_t *)f->d.used, 0);
	offer(&f->d, 0);
	assert_true(vq_kicks_on(&f->vq));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(mem_ranges), T(init_refuses), T(pops_and_pushes), T(whole_ring_in_flight),
		T(index_runs_ahead), T(available_entry_out_of_range), T(next_out_of_range),
		T(loop_of_one), T(loop_of_three), T(chain_as_long_as_the_ring),
		T(readable_behind_writable), T(empty_buffer), T(buffer_past_the_end),
		T(buffer_wraps_around), T(buffer_of_4gib), T(indirect), 
		T(indirect_longer_than_the_ring), T(indirect_and_direct_too_long),
		T(indirect_not_negotiated), T(indirect_in_indirect), T(indirect_with_successor),
		T(indirect_lengths), T(indirect_outside), T(indirect_loop),
		T(indirect_next_out_of_range), T(interrupts_by_flag),
		T(interrupts_by_event_index), T(kicks_by_flag), T(kicks_by_event_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
