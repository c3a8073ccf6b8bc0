// SPDX-License-Identifier: GPL-2.0-only
/* What the guest's processors can do: nothing that is nested virtualization or a counter. */
#include "test.h"

#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "cpuid.h"

#define MAX_ENTRIES	64

static struct kvm_cpuid2 *table;

static int setup(void **state)
{
	(void)state;
	table = calloc(1, sizeof(*table) + MAX_ENTRIES * sizeof(table->entries[0]));
	return !table;
}

static int teardown(void **state)
{
	(void)state;
	free(table);
	return 0;
}

/* A host that can do everything. */
static void add(uint32_t function, uint32_t index)
{
	table->entries[table->nent++] = (struct kvm_cpuid_entry2) {
		.function = function, .index = index,
		.eax = ~0U, .ebx = ~0U, .ecx = ~0U, .edx = ~0U,
	};
}

static void add_all(void)
{
	static const uint32_t functions[] = {
		0, 1, 4, 0xa, 0xb, 0xd, 0x14, 0x1c, 0x1f, 0x23, 0x40000000, 0x80000000,
		0x80000001, 0x80000008, 0x8000000a, 0x8000001b, 0x8000001e, 0x80000022,
	};

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		add(functions[i], 0);
	add(7, 0);
	add(7, 1);
	add(0xb, 1);
}

static const struct kvm_cpuid_entry2 *find(uint32_t function, uint32_t index)
{
	for (unsigned int i = 0; i < table->nent; i++)
		if (table->entries[i].function == function && table->entries[i].index == index)
			return &table->entries[i];
	return NULL;
}

static void adapt(unsigned int id, unsigned int ncpus, bool tsc_deadline)
{
	const struct cpuid_cpu cpu = { .id = id, .ncpus = ncpus, .tsc_deadline = tsc_deadline };

	cpuid_adapt(&cpu, table);
}

static void no_nested_virtualization(void **state)
{
	(void)state;
	add_all();
	adapt(0, 1, true);
	assert_int_equal(find(1, 0)->ecx & (1 << 5 | 1 << 6), 0);
	assert_int_equal(find(0x80000001, 0)->ecx & (1 << 2 | 1 << 12), 0);
	assert_null(find(0x8000000a, 0));
}

static void no_counters(void **state)
{
	static const uint32_t gone[] = { 0xa, 0x14, 0x1c, 0x23, 0x8000001b, 0x80000022 };

	(void)state;
	add_all();
	adapt(0, 1, true);
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		assert_null(find(gone[i], 0));
	assert_int_equal(find(1, 0)->ecx & (1 << 2 | 1 << 4 | 1 << 15), 0);
	assert_int_equal(find(1, 0)->edx & 1 << 21, 0);
	assert_int_equal(find(7, 0)->ebx & 1 << 25, 0);
	assert_int_equal(find(7, 0)->edx & 1 << 19, 0);
	assert_int_equal(find(7, 1)->eax & 1 << 8, 0);
	assert_int_equal(find(0x80000001, 0)->ecx & (1 << 10 | 1 << 23 | 1 << 24 | 1 << 28), 0);
}

/* Bits with other meanings at the same places, in other leaves, and all the rest. */
static void keeps_the_rest(void **state)
{
	(void)state;
	add_all();
	adapt(0, 1, true);
	assert_int_equal(find(1, 0)->ecx, ~(1U << 2 | 1U << 4 | 1U << 5 | 1U << 6 | 1U << 15));
	assert_int_equal(find(7, 0)->ecx, ~0U);
	assert_int_equal(find(7, 1)->ebx, ~0U);
	assert_int_equal(find(0xd, 0)->eax, ~0U);
	assert_int_equal(find(0x80000001, 0)->edx, ~0U);
	assert_int_equal(find(0x40000000, 0)->eax, ~0U);
}

static void topology(void **state)
{
	(void)state;
	add_all();
	adapt(2, 3, true);
	assert_int_equal(find(1, 0)->ebx, 2U << 24 | 3U << 16 | 0xffff);
	assert_int_equal(find(4, 0)->eax >> 26, 2);
	assert_int_equal(find(0xb, 0)->ebx, 1);
	assert_int_equal(find(0xb, 1)->eax, 2);
	assert_int_equal(find(0xb, 1)->ebx, 3);
	assert_int_equal(find(0xb, 1)->edx, 2);
	assert_null(find(0x1f, 0));
	assert_int_equal(find(0x80000008, 0)->ecx, 2 << 12 | 2);
	assert_int_equal(find(0x8000001e, 0)->eax, 2);
}

/* From a host that lists nothing. */
static void adds_what_is_emulated(void **state)
{
	(void)state;
	add(1, 0);
	table->entries[0].ecx = table->entries[0].edx = 0;
	adapt(0, 1, false);
	assert_int_equal(find(1, 0)->ecx, 1U << 31);
	assert_int_equal(find(1, 0)->edx, 0);
	table->nent = 1;
	adapt(1, 2, true);
	assert_int_equal(find(1, 0)->ecx, 1U << 31 | 1U << 24);
	assert_int_equal(find(1, 0)->edx, 1U << 28);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(no_nested_virtualization), T(no_counters), T(keeps_the_rest), T(topology),
		T(adds_what_is_emulated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
