// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads a bzImage by the 64-bit boot protocol (Documentation/arch/x86/boot.rst).
 *
 *     0x07000  boot_params ("zero page")
 *     0x08000  GDT
 *     0x09000  page tables: PML4, PDPT, 4 page directories: 4 GiB identity mapped
 *     0x20000  command line
 *     0xe0000  ACPI tables (acpi.c)
 *     1 MiB -  kernel at its preferred address; initrd as high as it may be
 */
#include <asm/bootparam.h>
#include <asm/e820.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot.h"
#include "file.h"
#include "util.h"
#include "vm.h"

#define CMDLINE_ADDR		0x20000UL
#define CMDLINE_ROOM		0x10000UL
#define BASEMEM_END		0x9fc00UL	/* PCs have the extended BIOS data area here */
#define EXTMEM_START		0x100000UL
#define HDR_OFFSET		0x1f1
#define PML4_SIZE		(6 * PAGE_BYTES)
#define ENTRY_64		0x200

/* The first 4 GiB, until the kernel has built its own tables. */
static void write_page_tables(const struct guest_mem *mem)
{
	uint64_t *pml4 = mem_range(mem, BOOT_PML4_ADDR, PML4_SIZE);
	uint64_t *pdpt = pml4 + 512;
	uint64_t *pd = pdpt + 512;
	uint64_t addr = BOOT_PML4_ADDR + PAGE_BYTES;

	memset(pml4, 0, PML4_SIZE);
	pml4[0] = addr | 3;
	for (int i = 0; i < 4; i++)
		pdpt[i] = (addr + (1 + i) * PAGE_BYTES) | 3;
	/* 2 MiB pages: present, writable, large. Not all processors have 1 GiB pages. */
	for (uint64_t i = 0; i < 4 * 512; i++)
		pd[i] = i << 21 | 0x83;
}

static void write_gdt(const struct guest_mem *mem)
{
	uint64_t *gdt = mem_range(mem, BOOT_GDT_ADDR, 4 * sizeof(*gdt));

	gdt[0] = 0;
	gdt[1] = 0;
	gdt[BOOT_CS / 8] = 0x00af9b000000ffffULL;	/* 64-bit code, ring 0 */
	gdt[BOOT_DS / 8] = 0x00cf93000000ffffULL;	/* flat data, ring 0 */
}

static void add_e820(struct boot_params *bp, uint64_t addr, uint64_t end, uint32_t type)
{
	bp->e820_table[bp->e820_entries++] = (struct boot_e820_entry) {
		.addr = addr, .size = end - addr, .type = type,
	};
}

static void write_e820(struct boot_params *bp, const struct guest_mem *mem)
{
	add_e820(bp, 0, BASEMEM_END, E820_RAM);
	add_e820(bp, BASEMEM_END, EXTMEM_START, E820_RESERVED);
	add_e820(bp, EXTMEM_START, mem->region[0].size, E820_RAM);
	if (mem->nregions > 1)
		add_e820(bp, mem->region[1].gpa, mem->region[1].gpa + mem->region[1].size,
			 E820_RAM);
}

/* Read [off, off + len) of a file into the memory of the guest. */
static int read_into(const struct vm *vm, const struct boot_file *f, uint64_t off, uint64_t addr,
		     uint64_t len)
{
	char *to = mem_range(&vm->mem, addr, len);
	ssize_t n;

	if (!to)
		return say_errno(ENOMEM, "%s does not fit into the guest's memory", f->path);
	n = pread_full(f->fd, to, len, off);
	if (n < 0 || (uint64_t)n < len)
		return say_errno(n < 0 ? -n : EIO, "cannot read %s", f->path);
	return 0;
}

int boot_open(struct boot_file *f, const char *path)
{
	struct stat st;

	f->path = path;
	f->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0)
		return say_errno(errno, "cannot open %s", path);
	if (fstat(f->fd, &st) || !S_ISREG(st.st_mode)) {
		close(f->fd);
		return say_errno(EINVAL, "%s is not a regular file", path);
	}
	f->size = st.st_size;
	return 0;
}

static int check_header(const struct setup_header *h, const char *path)
{
	if (h->boot_flag != 0xaa55 || h->header != 0x53726448)
		return say_errno(ENOEXEC, "%s is not a bzImage", path);
	if (h->version < 0x020c || !(h->xloadflags & XLF_KERNEL_64) || !h->relocatable_kernel)
		return say_errno(ENOEXEC, "%s has no relocatable 64-bit entry point", path);
	return 0;
}

/*
 * The length of the header is the operand of its jump instruction, at 0x201, which counts from
 * 0x202. What a shorter header does not have is zero.
 */
static int read_header(struct setup_header *h, const struct boot_file *f)
{
	uint8_t jump;

	if (pread(f->fd, h, sizeof(*h), HDR_OFFSET) != sizeof(*h) ||
	    pread(f->fd, &jump, 1, 0x201) != 1)
		return say_errno(ENOEXEC, "%s is too short for a kernel", f->path);
	if (0x202 + jump < HDR_OFFSET + (int)sizeof(*h))
		memset((char *)h + (0x202 + jump - HDR_OFFSET), 0,
		       HDR_OFFSET + sizeof(*h) - (0x202 + jump));
	return check_header(h, f->path);
}

static int load_kernel(const struct vm *vm, struct boot_params *bp, const struct boot_file *f,
		       uint64_t *entry, uint64_t *kernel_end)
{
	struct setup_header *h = &bp->hdr;
	uint64_t setup, addr;
	int err;

	err = read_header(h, f);
	if (err)
		return err;
	setup = ((h->setup_sects ?: 4) + 1) * 512ULL;
	addr = h->pref_address;
	if (setup >= f->size || addr < EXTMEM_START)
		return say_errno(ENOEXEC, "%s has an impossible header", f->path);
	*kernel_end = addr + h->init_size;
	if (!mem_range(&vm->mem, addr, h->init_size))
		return say_errno(ENOMEM, "%s needs %lu MiB of memory at %lu MiB", f->path,
				 (unsigned long)(h->init_size >> 20), (unsigned long)(addr >> 20));
	h->code32_start = addr;
	*entry = addr + ENTRY_64;
	return read_into(vm, f, setup, addr, f->size - setup);
}

/* As high as the kernel allows, to leave the memory below it free. */
static int load_initrd(const struct vm *vm, struct boot_params *bp, const struct boot_file *f,
		       uint64_t kernel_end)
{
	uint64_t top = min_u64(vm->mem.region[0].size, (uint64_t)bp->hdr.initrd_addr_max + 1);
	uint64_t addr = ALIGN_DOWN(top - f->size, PAGE_BYTES);

	if (!f->size || f->size > top || addr < kernel_end)
		return say_errno(ENOMEM, "%s is empty or does not fit into the guest's memory",
				 f->path);
	bp->hdr.ramdisk_image = addr;
	bp->hdr.ramdisk_size = f->size;
	return read_into(vm, f, 0, addr, f->size);
}

static int write_cmdline(const struct vm *vm, struct boot_params *bp, const char *cmdline)
{
	size_t len = strlen(cmdline);

	if (len > bp->hdr.cmdline_size || len >= CMDLINE_ROOM)
		return say_errno(E2BIG, "the kernel takes command lines up to %u characters",
				 bp->hdr.cmdline_size);
	memcpy(mem_range(&vm->mem, CMDLINE_ADDR, len + 1), cmdline, len + 1);
	bp->hdr.cmd_line_ptr = CMDLINE_ADDR;
	return 0;
}

int boot_load(struct vm *vm, const struct boot_file *kernel, const struct boot_file *initrd,
	      const char *cmdline, uint64_t rsdp, uint64_t *entry)
{
	struct boot_params *bp = mem_range(&vm->mem, BOOT_PARAMS_ADDR, sizeof(*bp));
	uint64_t kernel_end = 0;
	int err;

	if (!bp || vm->mem.region[0].size <= EXTMEM_START)
		return say_errno(EINVAL, "too little memory for any kernel");
	memset(bp, 0, sizeof(*bp));
	err = load_kernel(vm, bp, kernel, entry, &kernel_end);
	if (!err && initrd)
		err = load_initrd(vm, bp, initrd, kernel_end);
	if (!err)
		err = write_cmdline(vm, bp, cmdline);
	if (err)
		return err;

	bp->hdr.type_of_loader = 0xff;		/* no number assigned */
	bp->acpi_rsdp_addr = rsdp;
	write_e820(bp, &vm->mem);
	write_gdt(&vm->mem);
	write_page_tables(&vm->mem);
	return 0;
}
