/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ACPI tables, which tell the guest what the machine has.
 */
#ifndef VMM_ACPI_H
#define VMM_ACPI_H

#include <stdint.h>

struct vm;

/* Writes the tables, returns the RSDP's address. */
uint64_t acpi_write_tables(const struct vm *vm);

#endif
