/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loads a Linux kernel and what it needs at boot.
 */
#ifndef VMM_BOOT_H
#define VMM_BOOT_H

#include <stdint.h>

struct vm;

/* Puts kernel, initrd and command line in place; *entry: where vCPU 0 starts. */
int boot_load(struct vm *vm, const char *kernel, const char *initrd, const char *cmdline,
	      uint64_t rsdp, uint64_t *entry);

/* What the boot processor needs besides `entry`: see boot.c's memory map. */
#define BOOT_PARAMS_ADDR	0x7000UL
#define BOOT_GDT_ADDR		0x8000UL
#define BOOT_PML4_ADDR		0x9000UL
#define BOOT_CS			0x10
#define BOOT_DS			0x18

#endif
