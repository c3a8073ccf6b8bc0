// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a kernel finds at its start: tables with valid checksums, a zero page, itself and the
 * initrd.
 */
#include "test.h"

#include <asm/bootparam.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "acpi.h"
#include "boot.h"
#include "fake-irq.h"
#include "vm.h"

#define LOW_BYTES	(64UL << 20)
#define KERNEL_BYTES	(2UL << 20)
#define PREFERRED	0x1000000UL

static struct vm vm;
static char kernel[64], initrd[64];
static uint8_t image[KERNEL_BYTES];

static struct setup_header *header(void)
{
	return (struct setup_header *)(image + 0x1f1);
}

static void make_file(char *path, const void *data, size_t len)
{
	int fd;

	strcpy(path, "/tmp/test-boot.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

/* The minimum that is accepted as a bzImage. */
static int setup(void **state)
{
	(void)state;
	memset(&vm, 0, sizeof(vm));
	vm.ncpus = 3;
	vm.mem.nregions = 2;
	vm.mem.region[0] = (struct mem_region) { 0, LOW_BYTES, calloc(1, LOW_BYTES) };
	vm.mem.region[1] = (struct mem_region) { HIGHMEM_BASE, 1 << 20, calloc(1, 1 << 20) };
	for (size_t i = 0; i < sizeof(image); i++)
		image[i] = i * 13;
	memset(header(), 0, sizeof(*header()));
	image[0x200] = 0xeb;
	image[0x201] = 0x6a;
	header()->setup_sects = 4;
	header()->boot_flag = 0xaa55;
	header()->header = 0x53726448;
	header()->version = 0x020f;
	header()->xloadflags = XLF_KERNEL_64;
	header()->relocatable_kernel = 1;
	header()->pref_address = PREFERRED;
	header()->init_size = 4 << 20;
	header()->cmdline_size = 2047;
	header()->initrd_addr_max = 0x7fffffff;
	header()->jump = 0x6aeb;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(vm.mem.region[0].hva);
	free(vm.mem.region[1].hva);
	if (*kernel)
		unlink(kernel);
	if (*initrd)
		unlink(initrd);
	*kernel = *initrd = '\0';
	return 0;
}

static int load(const char *cmdline)
{
	struct boot_file k, i;
	uint64_t entry = 0;
	int err;

	if (!*kernel)
		make_file(kernel, image, sizeof(image));
	err = boot_open(&k, kernel);
	if (!err && *initrd)
		err = boot_open(&i, initrd);
	if (!err)
		err = boot_load(&vm, &k, *initrd ? &i : NULL, cmdline, 0xe0000, &entry);
	if (!err)
		assert_int_equal(entry, PREFERRED + 0x200);
	return err;
}

static uint8_t sum(const uint8_t *p, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s += *p++;
	return s;
}

static uint64_t get(const uint8_t *p, unsigned int len)
{
	uint64_t v = 0;

	memcpy(&v, p, len);
	return v;
}

static const uint8_t *mem(uint64_t gpa)
{
	return mem_range(&vm.mem, gpa, 1);
}

/* Walk RSDP, XSDT, FADT to DSDT and FACS, and the MADT. */
static void acpi(void **state)
{
	const uint8_t *rsdp = mem(acpi_write_tables(&vm)), *xsdt, *fadt, *madt, *dsdt, *p;
	unsigned int cpus = 0;

	(void)state;
	assert_memory_equal(rsdp, "RSD PTR ", 8);
	assert_int_equal(sum(rsdp, 20), 0);
	assert_int_equal(sum(rsdp, 36), 0);
	xsdt = mem(get(rsdp + 24, 8));
	assert_memory_equal(xsdt, "XSDT", 4);
	assert_int_equal(get(xsdt + 4, 4), 36 + 2 * 8);
	assert_int_equal(sum(xsdt, get(xsdt + 4, 4)), 0);

	fadt = mem(get(xsdt + 36, 8));
	assert_memory_equal(fadt, "FACP", 4);
	assert_int_equal(get(fadt + 4, 4), 276);
	assert_int_equal(sum(fadt, 276), 0);
	assert_int_equal(get(fadt + 64, 4), 0x604);		/* PM1a_CNT */
	assert_int_equal(get(fadt + 116 + 4, 8), 0x64);		/* reset register */
	assert_int_equal(fadt[128], 0xfe);
	assert_int_equal(get(fadt + 112, 4) >> 10 & 1, 1);
	assert_memory_equal(mem(get(fadt + 36, 4)), "FACS", 4);
	assert_int_equal(get(fadt + 36, 4) % 64, 0);
	dsdt = mem(get(fadt + 140, 8));
	assert_memory_equal(dsdt, "DSDT", 4);
	assert_int_equal(sum(dsdt, get(dsdt + 4, 4)), 0);

	madt = mem(get(xsdt + 44, 8));
	assert_memory_equal(madt, "APIC", 4);
	assert_int_equal(sum(madt, get(madt + 4, 4)), 0);
	for (p = madt + 44; p < madt + get(madt + 4, 4); p += p[1]) {
		assert_true(p[1] >= 2);
		if (p[0] == 0)
			assert_int_equal(p[3], cpus++);
	}
	assert_int_equal(cpus, 3);
}

static void loads(void **state)
{
	static uint8_t ramdisk[5000];
	const struct boot_params *bp = (const void *)mem(BOOT_PARAMS_ADDR);

	(void)state;
	memset(ramdisk, 0x5a, sizeof(ramdisk));
	make_file(initrd, ramdisk, sizeof(ramdisk));
	assert_int_equal(load("root=/dev/vda quiet"), 0);
	assert_memory_equal(mem(PREFERRED), image + 5 * 512, KERNEL_BYTES - 5 * 512);
	assert_int_equal(bp->hdr.type_of_loader, 0xff);
	assert_int_equal(bp->acpi_rsdp_addr, 0xe0000);
	assert_string_equal((const char *)mem(bp->hdr.cmd_line_ptr), "root=/dev/vda quiet");
	assert_int_equal(bp->hdr.ramdisk_size, sizeof(ramdisk));
	assert_int_equal(bp->hdr.ramdisk_image, LOW_BYTES - 8192);
	assert_memory_equal(mem(bp->hdr.ramdisk_image), ramdisk, sizeof(ramdisk));
	/* low memory without its end, the hole, the rest, and above 4 GiB */
	assert_int_equal(bp->e820_entries, 4);
	assert_int_equal(bp->e820_table[1].type, 2);
	assert_int_equal(bp->e820_table[2].addr, 1 << 20);
	assert_int_equal(bp->e820_table[2].size, LOW_BYTES - (1 << 20));
	assert_int_equal(bp->e820_table[3].addr, HIGHMEM_BASE);
}

static void identity_map(void **state)
{
	const uint64_t *pml4 = (const void *)mem(BOOT_PML4_ADDR);

	(void)state;
	assert_int_equal(load(""), 0);
	for (uint64_t addr = 0; addr < 1ULL << 32; addr += 2 << 20) {
		const uint64_t *pdpt = (const void *)mem(pml4[0] & ~0xfffULL);
		const uint64_t *pd = (const void *)mem(pdpt[addr >> 30] & ~0xfffULL);

		assert_int_equal(pd[addr >> 21 & 511], addr | 0x83);
	}
}

static void refuses_other_files(void **state)
{
	(void)state;
	header()->header = 0;
	assert_int_not_equal(load(""), 0);
}

static void refuses_32_bit_kernels(void **state)
{
	(void)state;
	header()->xloadflags = 0;
	assert_int_not_equal(load(""), 0);
}

static void refuses_impossible_headers(void **state)
{
	(void)state;
	header()->pref_address = 0;
	assert_int_not_equal(load(""), 0);
	unlink(kernel);
	*kernel = '\0';
	header()->pref_address = ~0ULL;
	assert_int_not_equal(load(""), 0);
	unlink(kernel);
	*kernel = '\0';
	header()->pref_address = PREFERRED;
	header()->init_size = LOW_BYTES;
	assert_int_not_equal(load(""), 0);
	unlink(kernel);
	make_file(kernel, image, 0x300);
	assert_int_not_equal(load(""), 0);
	unlink(kernel);
	make_file(kernel, image, 100);
	assert_int_not_equal(load(""), 0);
	unlink(kernel);
	strcpy(kernel, "/nonexistent");
	assert_int_not_equal(load(""), 0);
}

static void refuses_what_does_not_fit(void **state)
{
	char *big = malloc(3000);

	(void)state;
	memset(big, 'x', 2999);
	big[2999] = '\0';
	assert_int_not_equal(load(big), 0);
	free(big);
	make_file(initrd, "", 0);
	assert_int_not_equal(load(""), 0);
	/* only the size of the file matters, so a hole will do */
	assert_int_equal(truncate(initrd, LOW_BYTES - PREFERRED), 0);
	assert_int_not_equal(load(""), 0);
	assert_int_equal(truncate(initrd, LOW_BYTES + 1), 0);
	assert_int_not_equal(load(""), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(acpi), T(loads), T(identity_map), T(refuses_other_files),
		T(refuses_32_bit_kernels), T(refuses_impossible_headers),
		T(refuses_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
