/* SPDX-License-Identifier: GPL-2.0-only */
/* Ports and interrupt lines of the fixed devices; dsdt.asl repeats them for the guest. */
#ifndef VMM_PLATFORM_H
#define VMM_PLATFORM_H

#define UART_PORT		0x3f8
#define UART_IRQ		4
#define RESET_PORT		0x64	/* the keyboard controller's command port, and ACPI's reset */
#define RESET_VALUE		0xfe	/* "pulse the reset line" */
#define PANIC_PORT		0x505
#define PM1_EVT_PORT		0x600
#define PM1_CNT_PORT		0x604
#define PM1_PORTS		8
#define PCI_CONFIG_PORT		0xcf8
#define SCI_IRQ			9

#define SLEEP_TYPE_S5		5

#define LAPIC_ADDR		0xfee00000
#define IOAPIC_ADDR		0xfec00000

#endif
