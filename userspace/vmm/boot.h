/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loads a Linux kernel and prepares its boot.
 */
#ifndef VMM_BOOT_H
#define VMM_BOOT_H

#include <stdint.h>

struct vm;

/* A file that is read at each boot, long after it was opened. */
struct boot_file {
	const char *path;
	int fd;
	uint64_t size;
};

/* Returns 0, or -errno after a message. */
int boot_open(struct boot_file *f, const char *path);

/*
 * Load kernel, initrd (or NULL) and command line. *entry gets the address at which vCPU 0 starts. Returns 0,
 * or -errno after a message.
 */
int boot_load(struct vm *vm, const struct boot_file *kernel, const struct boot_file *initrd,
	      const char *cmdline, uint64_t rsdp, uint64_t *entry);

/* For the boot processor, see the memory map in boot.c. */
#define BOOT_PARAMS_ADDR	0x7000UL
#define BOOT_GDT_ADDR		0x8000UL
#define BOOT_PML4_ADDR		0x9000UL
#define BOOT_CS			0x10
#define BOOT_DS			0x18

#endif
