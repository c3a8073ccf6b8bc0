/* SPDX-License-Identifier: GPL-2.0-only */
/* Ways in which a guest ends itself: ACPI sleep, reset, panic report. */
#ifndef VMM_POWER_H
#define VMM_POWER_H

#include <stdatomic.h>
#include <stdint.h>

struct uart;
struct vm;

struct power {
	struct vm *vm;
	struct uart *console;
	_Atomic uint16_t pm1_enable;
};

void power_attach(struct power *p, struct vm *vm, struct uart *console);

#endif
