// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ways in which a guest ends itself, and the power button.
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
#define PM1_STATUS		0	/* writing a one clears a bit */
#define PM1_ENABLE		2
#define PM1_CNT			(PM1_CNT_PORT - PM1_EVT_PORT)

/* In status and enable. */
#define PM1_POWER_BUTTON	(1 << 8)

#define PVPANIC_PANICKED	1	/* a read returns the supported reports */

/* The interrupt is raised as long as an event is pending and enabled. */
static void update_sci(struct power *p)
{
	bool level = p->pm1_status & p->pm1_enable;

	if (level != p->sci)
		irq_line(&p->vm->irq, SCI_IRQ, level);
	p->sci = level;
}

static void pm1_write(struct power *p, uint64_t off, uint16_t val)
{
	switch (off) {
	case PM1_STATUS:
		p->pm1_status &= ~val;
		break;
	case PM1_ENABLE:
		p->pm1_enable = val;
		break;
	case PM1_CNT:
		if (val & PM1_CNT_SLEEP && (val >> PM1_CNT_TYPE_SHIFT & 7) == SLEEP_TYPE_S5)
			vm_end(p->vm, END_POWEROFF);
		break;
	}
	update_sci(p);
}

static uint16_t pm1_read(const struct power *p, uint64_t off)
{
	switch (off) {
	case PM1_STATUS:
		return p->pm1_status;
	case PM1_ENABLE:
		return p->pm1_enable;
	case PM1_CNT:
		return PM1_CNT_SCI_EN;
	default:
		return 0;
	}
}

/* PM1a_EVT (status, enable) and PM1a_CNT. One event: the power button; one sleep state. */
static void pm1_access(void *dev, uint64_t off, void *data, unsigned int len, bool write)
{
	struct power *p = dev;
	uint16_t val = 0;

	if (len > sizeof(val))
		len = sizeof(val);
	pthread_mutex_lock(&p->lock);
	if (write) {
		memcpy(&val, data, len);
		pm1_write(p, off, val);
	} else {
		val = pm1_read(p, off);
		memcpy(data, &val, len);
	}
	pthread_mutex_unlock(&p->lock);
}

bool power_button(struct power *p)
{
	bool enabled;

	pthread_mutex_lock(&p->lock);
	enabled = p->pm1_enable & PM1_POWER_BUTTON;
	if (enabled)
		p->pm1_status |= PM1_POWER_BUTTON;
	update_sci(p);
	pthread_mutex_unlock(&p->lock);
	return enabled;
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
	p->pm1_status = p->pm1_enable = 0;
	p->sci = false;
	pthread_mutex_init(&p->lock, NULL);
	bus_add(&vm->pio, PM1_EVT_PORT, PM1_PORTS, pm1_access, p);
	bus_add(&vm->pio, RESET_PORT, 1, reset_access, p);
	bus_add(&vm->pio, PANIC_PORT, 1, panic_access, p);
}
