// SPDX-License-Identifier: GPL-2.0-only
/*
 * ACPI tables (ACPI 6.4): RSDP, XSDT, FADT, FACS, MADT, and the DSDT that iasl compiled from
 * dsdt.asl. They are where PCs have them: a guest that ignores boot_params.acpi_rsdp_addr finds
 * them by searching.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "acpi.h"
#include "dsdt.h"
#include "platform.h"
#include "util.h"
#include "vm.h"

#define TABLES_ADDR	0xe0000UL
#define TABLES_SIZE	0x10000UL

struct sdt {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t checksum2;
	uint8_t reserved[3];
} __attribute__((packed));

/* Generic address: space 1 is I/O ports. */
struct gas {
	uint8_t space, width, offset, access;
	uint64_t addr;
} __attribute__((packed));

struct fadt {
	struct sdt h;
	uint32_t facs, dsdt;
	uint8_t reserved0, profile;
	uint16_t sci_irq;
	uint32_t smi_cmd;
	uint8_t acpi_enable, acpi_disable, s4bios, pstate;
	uint32_t pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_tmr, gpe0, gpe1;
	uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len, gpe0_len, gpe1_len, gpe1_base;
	uint8_t cst_cnt;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_arch;
	uint8_t reserved1;
	uint32_t flags;
	struct gas reset;
	uint8_t reset_value;
	uint16_t arm_boot;
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	struct gas x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt, x_pm2_cnt, x_pm_tmr;
	struct gas x_gpe0, x_gpe1, sleep_control, sleep_status;
	uint64_t hypervisor;
} __attribute__((packed));

#define FADT_WBINVD		(1U << 0)
#define FADT_PROC_C1		(1U << 2)
#define FADT_NO_SLEEP_BUTTON	(1U << 5)
#define FADT_RESET_REG		(1U << 10)
#define BOOT_ARCH_NO_VGA	(1U << 2)
#define BOOT_ARCH_NO_RTC	(1U << 5)

struct facs {
	char signature[4];
	uint32_t length;
	uint8_t rest[56];
} __attribute__((packed));

struct madt {
	struct sdt h;
	uint32_t lapic_addr, flags;
} __attribute__((packed));

#define MADT_PCAT_COMPAT	1	/* a pair of 8259s exists as well */

struct madt_lapic {
	uint8_t type, length, uid, apic_id;
	uint32_t flags;
} __attribute__((packed));

struct madt_ioapic {
	uint8_t type, length, id, reserved;
	uint32_t addr, gsi_base;
} __attribute__((packed));

struct madt_override {
	uint8_t type, length, bus, irq;
	uint32_t gsi;
	uint16_t flags;
} __attribute__((packed));

#define OVERRIDE_LEVEL_HIGH	0x0d

/*
 * The address of the next table. All tables are small and of fixed size: a lack of room would be a
 * bug.
 */
struct writer {
	const struct guest_mem *mem;
	uint64_t next;
};

static uint64_t put(struct writer *w, const void *table, size_t len)
{
	uint64_t addr = ALIGN_UP(w->next, 64UL);
	void *to = addr + len <= TABLES_ADDR + TABLES_SIZE ? mem_range(w->mem, addr, len) : NULL;

	if (!to)
		abort();
	memcpy(to, table, len);
	w->next = addr + len;
	return addr;
}

static uint8_t checksum(const void *table, size_t len)
{
	const uint8_t *p = table;
	uint8_t sum = 0;

	while (len--)
		sum += *p++;
	return -sum;
}

static void init_header(struct sdt *h, const char *signature, uint8_t revision, size_t len)
{
	memcpy(h->signature, signature, 4);
	h->length = len;
	h->revision = revision;
	memcpy(h->oem_id, "COWCHN", 6);
	memcpy(h->oem_table_id, "COWCHAIN", 8);
	h->oem_revision = 1;
	memcpy(h->creator_id, "COWC", 4);
	h->creator_revision = 1;
}

static uint64_t put_table(struct writer *w, struct sdt *h)
{
	h->checksum = 0;
	h->checksum = checksum(h, h->length);
	return put(w, h, h->length);
}

static struct gas port(uint16_t addr, uint8_t bytes)
{
	return (struct gas) { .space = 1, .width = bytes * 8, .access = bytes > 2 ? 3 : bytes,
			      .addr = addr };
}

/*
 * Full ACPI, not the hardware-reduced kind, which would take the legacy interrupt controllers and
 * the timer from the guest, although KVM provides them. SMI_CMD 0: ACPI mode is always on.
 */
static uint64_t put_fadt(struct writer *w, uint64_t dsdt, uint64_t facs)
{
	struct fadt f = {
		.facs = facs,
		.dsdt = dsdt,
		.x_dsdt = dsdt,
		.sci_irq = SCI_IRQ,
		.pm1a_evt = PM1_EVT_PORT,
		.pm1a_cnt = PM1_CNT_PORT,
		.pm1_evt_len = 4,
		.pm1_cnt_len = 2,
		.x_pm1a_evt = port(PM1_EVT_PORT, 4),
		.x_pm1a_cnt = port(PM1_CNT_PORT, 2),
		.c2_latency = 0xfff,		/* no C2, no C3 */
		.c3_latency = 0xfff,
		.boot_arch = BOOT_ARCH_NO_VGA | BOOT_ARCH_NO_RTC,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_SLEEP_BUTTON |
			 FADT_RESET_REG,
		.reset = port(RESET_PORT, 1),
		.reset_value = RESET_VALUE,
		.minor = 4,
	};

	init_header(&f.h, "FACP", 6, sizeof(f));
	return put_table(w, &f.h);
}

static uint64_t put_madt(struct writer *w, unsigned int ncpus)
{
	struct {
		struct madt m;
		struct madt_ioapic ioapic;
		struct madt_override timer, sci;
		struct madt_lapic lapic[VM_MAX_CPUS];
	} __attribute__((packed)) t = {
		.m = { .lapic_addr = LAPIC_ADDR, .flags = MADT_PCAT_COMPAT },
		.ioapic = { .type = 1, .length = sizeof(t.ioapic), .id = ncpus,
			    .addr = IOAPIC_ADDR },
		.timer = { .type = 2, .length = sizeof(t.timer), .irq = 0, .gsi = 2 },
		.sci = { .type = 2, .length = sizeof(t.sci), .irq = SCI_IRQ, .gsi = SCI_IRQ,
			 .flags = OVERRIDE_LEVEL_HIGH },
	};

	for (unsigned int i = 0; i < ncpus; i++)
		t.lapic[i] = (struct madt_lapic) { .length = sizeof(t.lapic[i]), .uid = i,
						   .apic_id = i, .flags = 1 };
	init_header(&t.m.h, "APIC", 5, offsetof(typeof(t), lapic[ncpus]));
	return put_table(w, &t.m.h);
}

static uint64_t put_xsdt(struct writer *w, uint64_t fadt, uint64_t madt)
{
	struct {
		struct sdt h;
		uint64_t entry[2];
	} __attribute__((packed)) t = { .entry = { fadt, madt } };

	init_header(&t.h, "XSDT", 1, sizeof(t));
	return put_table(w, &t.h);
}

uint64_t acpi_write_tables(const struct vm *vm)
{
	struct facs facs = { .signature = "FACS", .length = sizeof(facs) };
	struct rsdp rsdp = { .signature = "RSD PTR ", .oem_id = "COWCHN", .revision = 2,
			     .length = sizeof(rsdp) };
	struct writer w = { .mem = &vm->mem, .next = TABLES_ADDR + ALIGN_UP(sizeof(rsdp), 64) };
	uint64_t dsdt, fadt, madt;

	facs.rest[24] = 2;		/* version */
	dsdt = put(&w, dsdt_aml_code, sizeof(dsdt_aml_code));
	fadt = put_fadt(&w, dsdt, put(&w, &facs, sizeof(facs)));
	madt = put_madt(&w, vm->ncpus);
	rsdp.xsdt = put_xsdt(&w, fadt, madt);
	rsdp.checksum = checksum(&rsdp, 20);
	rsdp.checksum2 = checksum(&rsdp, sizeof(rsdp));
	w.next = TABLES_ADDR;
	return put(&w, &rsdp, sizeof(rsdp));
}
