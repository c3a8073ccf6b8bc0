/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ways in which a guest ends itself: ACPI sleep, reset, panic report; and the power button, which
 * asks it to.
 */
#ifndef VMM_POWER_H
#define VMM_POWER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct uart;
struct vm;

struct power {
	struct vm *vm;
	struct uart *console;
	pthread_mutex_t lock;			/* of the rest */
	uint16_t pm1_status;
	uint16_t pm1_enable;
	bool sci;				/* the level of the interrupt */
};

/*
 * Press the power button. Returns false if the guest has no driver for it, or not yet. To be called
 * by the main thread.
 */
bool power_button(struct power *p);

void power_attach(struct power *p, struct vm *vm, struct uart *console);

#endif
