/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ACPI tables, which describe the machine to the guest.
 */
#ifndef VMM_ACPI_H
#define VMM_ACPI_H

#include <stdint.h>

struct vm;

/* Write the tables. Returns the address of the RSDP. */
uint64_t acpi_write_tables(const struct vm *vm);

#endif
