// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ways in which a guest ends itself.
 */
#include <string.h>

#include "platform.h"
#include "power.h"
#include "uart.h"
#include "vm.h"

#define PM1_CNT_SCI_EN		1
#define PM1_CNT_SLEEP		(1 << 13)
#define PM1_CNT_TYPE_SHIFT	10

/* Offsets from PM1_EVT_PORT. */
#define PM1_ENABLE		2
#define PM1_CNT			(PM1_CNT_PORT - PM1_EVT_PORT)

#define PVPANIC_PANICKED	1	/* a read returns the supported reports */

/* PM1a_EVT (status, enable) and PM1a_CNT: no events ever occur, and there is one sleep state. */
static void pm1_access(void *dev, uint64_t off, void *data, unsigned int len, bool write)
{
	struct power *p = dev;
	uint16_t val = 0;

	if (len > sizeof(val))
		len = sizeof(val);
	if (write) {
		memcpy(&val, data, len);
		if (off == PM1_ENABLE)
			p->pm1_enable = val;
		else if (off == PM1_CNT && val & PM1_CNT_SLEEP &&
			 (val >> PM1_CNT_TYPE_SHIFT & 7) == SLEEP_TYPE_S5)
			vm_end(p->vm, END_POWEROFF);
		return;
	}
	if (off == PM1_ENABLE)
		val = p->pm1_enable;
	else if (off == PM1_CNT)
		val = PM1_CNT_SCI_EN;
	memcpy(data, &val, len);
}

/*
 * Commands of the keyboard controller: only the reset exists. The status reads 0, "ready for the
 * next command", for which a kernel waits before it pulses the reset line.
 */
static void reset_access(void *dev, uint64_t off, void *data, unsigned int len, bool write)
{
	struct power *p = dev;
	uint8_t *val = data;

	(void)off;
	if (!write)
		memset(data, 0, len);
	else if (*val == RESET_VALUE)
		vm_end(p->vm, uart_saw_panic(p->console) ? END_PANIC : END_REBOOT);
}

static void panic_access(void *dev, uint64_t off, void *data, unsigned int len, bool write)
{
	struct power *p = dev;
	uint8_t *val = data;

	(void)off;
	(void)len;
	if (!write)
		*val = PVPANIC_PANICKED;
	else if (*val & PVPANIC_PANICKED)
		vm_end(p->vm, END_PANIC);
}

void power_attach(struct power *p, struct vm *vm, struct uart *console)
{
	p->vm = vm;
	p->console = console;
	atomic_init(&p->pm1_enable, 0);
	bus_add(&vm->pio, PM1_EVT_PORT, PM1_PORTS, pm1_access, p);
	bus_add(&vm->pio, RESET_PORT, 1, reset_access, p);
	bus_add(&vm->pio, PANIC_PORT, 1, panic_access, p);
}
