// SPDX-License-Identifier: GPL-2.0-only
/* The bus, a virtio device on it, and its interrupts as the guest sees them: all through ports. */
#include "test.h"

#include <linux/pci_regs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake-irq.h"
#include "frozen-clock.h"
#include "pci.h"
#include "platform.h"
#include "util.h"
#include "virtio-pci.h"
#include "vm.h"

#define NQUEUES		3
#define GSI		(IRQ_MSI_BASE + 17)
#define SLOT		1

struct fixture {
	struct bus pio, mmio;
	struct pci_bus pci;
	struct irq_router irq;
	struct guest_mem mem;
	struct virtio_device vdev;
	struct virtio_pci vp;
	unsigned int starts, resets;
};

static struct fixture *f;

static void dev_config_read(struct virtio_device *dev, uint32_t off, void *data, unsigned int len)
{
	(void)dev;
	memset(data, 0x50 + off, len);
}

static void dev_config_write(struct virtio_device *dev, uint32_t off, const void *data,
			     unsigned int len)
{
	(void)dev;
	(void)off;
	(void)data;
	(void)len;
}

static void dev_start(struct virtio_device *dev)
{
	(void)dev;
	f->starts++;
}

static void dev_reset(struct virtio_device *dev)
{
	(void)dev;
	f->resets++;
}

static const struct virtio_ops ops = { dev_config_read, dev_config_write, dev_start, dev_reset };

static int setup(void **state)
{
	(void)state;
	f = calloc(1, sizeof(*f));
	irq_init(&f->irq, -1);
	pci_init(&f->pci, &f->pio, &f->mmio);
	f->vdev = (struct virtio_device) {
		.ops = &ops, .mem = &f->mem, .id = 2, .pci_class = 0x018000, .config_len = 16,
		.offered = FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_BLK_F_FLUSH),
	};
	return virtio_init(&f->vdev, NQUEUES) ||
	       virtio_pci_attach(&f->vp, &f->vdev, &f->pci, &f->irq, GSI);
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < NQUEUES; i++)
		close(f->vdev.queue[i].kick_fd);
	for (unsigned int i = 0; i < NQUEUES + 1; i++)
		close(f->vp.msix.vector[i].fd);
	free(f);
	return 0;
}

static void config_address(unsigned int slot, unsigned int at)
{
	uint32_t v = 0x80000000 | slot << 11 | (at & 0xfc);

	bus_access(&f->pio, PCI_CONFIG_PORT, &v, 4, true);
}

static uint32_t cfg_read(unsigned int slot, unsigned int at, unsigned int len)
{
	uint32_t v = 0;

	config_address(slot, at);
	bus_access(&f->pio, PCI_CONFIG_PORT + 4 + at % 4, &v, len, false);
	return v;
}

static void cfg_write(unsigned int slot, unsigned int at, uint32_t v, unsigned int len)
{
	config_address(slot, at);
	bus_access(&f->pio, PCI_CONFIG_PORT + 4 + at % 4, &v, len, true);
}

static uint64_t mmio_read(uint64_t addr, unsigned int len)
{
	uint64_t v = 0;

	bus_access(&f->mmio, addr, &v, len, false);
	return v;
}

static void mmio_write(uint64_t addr, uint64_t v, unsigned int len)
{
	bus_access(&f->mmio, addr, &v, len, true);
}

static void enable(void)
{
	cfg_write(SLOT, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
}

static uint32_t bar(unsigned int n)
{
	return cfg_read(SLOT, PCI_BASE_ADDRESS_0 + 4 * n, 4);
}

static void finds_devices(void **state)
{
	(void)state;
	assert_int_equal(cfg_read(0, PCI_CLASS_DEVICE, 2), 0x0600);
	assert_int_equal(cfg_read(SLOT, PCI_VENDOR_ID, 4), 0x10421af4);
	assert_int_equal(cfg_read(SLOT, PCI_CLASS_REVISION, 4), 0x01800001);
	assert_int_equal(cfg_read(SLOT, PCI_DEVICE_ID + 1, 1), 0x10);
	assert_int_equal(cfg_read(2, PCI_VENDOR_ID, 4), 0xffffffff);
	assert_int_equal(cfg_read(31, PCI_VENDOR_ID, 4), 0xffffffff);
	cfg_write(2, PCI_COMMAND, 0xffff, 2);
	/* another bus, another function, and an address without the enable bit */
	for (int i = 0; i < 3; i++) {
		static const uint32_t addr[] = { 0x80010000, 0x80000100, 0x00000000 };
		uint32_t v = addr[i];

		bus_access(&f->pio, PCI_CONFIG_PORT, &v, 4, true);
		bus_access(&f->pio, PCI_CONFIG_PORT + 4, &v, 4, false);
		assert_int_equal(v, 0xffffffff);
	}
}

static void identity_is_constant(void **state)
{
	uint8_t before[256], after[256];

	(void)state;
	memcpy(before, f->vp.pci.config, 256);
	for (unsigned int at = 0; at < 256; at += 4)
		if (at < PCI_BASE_ADDRESS_0 || at > PCI_BASE_ADDRESS_1)
			cfg_write(SLOT, at, 0, 4);
	memcpy(after, f->vp.pci.config, 256);
	assert_memory_equal(before, after, 256);
	for (unsigned int at = 0; at < 256; at += 4)
		cfg_write(SLOT, at, 0xffffffff, 4);
	assert_int_equal(cfg_read(SLOT, PCI_VENDOR_ID, 4), 0x10421af4);
	assert_int_equal(cfg_read(SLOT, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
}

static void bars_have_sizes(void **state)
{
	uint32_t base = bar(0);

	(void)state;
	assert_int_equal(base % 0x4000, 0);
	assert_true(base >= PCI_MMIO_BASE && base < PCI_MMIO_BASE + PCI_MMIO_SIZE);
	cfg_write(SLOT, PCI_BASE_ADDRESS_0, 0xffffffff, 4);
	assert_int_equal(bar(0), 0xffffc000);
	cfg_write(SLOT, PCI_BASE_ADDRESS_1, 0xffffffff, 4);
	assert_int_equal(bar(1), 0xfffff000);
	cfg_write(SLOT, PCI_BASE_ADDRESS_2, 0xffffffff, 4);
	assert_int_equal(cfg_read(SLOT, PCI_BASE_ADDRESS_2, 4), 0);
}

static void decodes_only_when_enabled(void **state)
{
	uint32_t base = bar(0);

	(void)state;
	assert_int_equal(mmio_read(base + VIRTIO_PCI_COMMON_NUMQ, 2), 0xffff);
	enable();
	assert_int_equal(mmio_read(base + VIRTIO_PCI_COMMON_NUMQ, 2), NQUEUES);
	/* moved */
	cfg_write(SLOT, PCI_BASE_ADDRESS_0, PCI_MMIO_BASE + 0x100000, 4);
	assert_int_equal(mmio_read(base + VIRTIO_PCI_COMMON_NUMQ, 2), 0xffff);
	assert_int_equal(mmio_read(PCI_MMIO_BASE + 0x100000 + VIRTIO_PCI_COMMON_NUMQ, 2), NQUEUES);
	/* moved out of the window: not accessible, but harmless */
	cfg_write(SLOT, PCI_BASE_ADDRESS_0, 0xfffff000, 4);
	assert_int_equal(mmio_read(0xfffff000, 4), 0xffffffff);
}

static void notifications_follow_the_bar(void **state)
{
	uint32_t base = bar(0);

	(void)state;
	assert_int_equal(fake.nkicks, 0);
	enable();
	assert_int_equal(fake.nkicks, NQUEUES);
	assert_int_equal(fake.kick_addr[1], base + 0x3004);
	assert_int_equal(fake.kick_fd[1], f->vdev.queue[1].kick_fd);
	cfg_write(SLOT, PCI_BASE_ADDRESS_0, base + 0x8000, 4);
	assert_int_equal(fake.nkicks, NQUEUES);
	for (int i = 0; i < NQUEUES; i++)
		assert_true(fake.kick_addr[i] >= base + 0xb000);
	cfg_write(SLOT, PCI_COMMAND, 0, 2);
	assert_int_equal(fake.nkicks, 0);
}

/* A guest that moves its BARs again and again cannot fill the log of the host. */
static void few_messages(void **state)
{
	uint32_t base = bar(0);

	(void)state;
	enable();
	fake.refuses = true;
	freeze_clock();
	quiet_begin();
	for (int i = 0; i < 1000; i++)
		cfg_write(SLOT, PCI_BASE_ADDRESS_0, base + i % 2 * 0x8000, 4);
	run_clock();
	assert_int_equal(occurrences(quiet_end(), "cannot set a notification"), RATE_TIMES);
}

/* Follow the list as a driver does: each structure is inside its BAR, MSI-X comes last. */
static void capabilities(void **state)
{
	unsigned int at = cfg_read(SLOT, PCI_CAPABILITY_LIST, 1), found = 0;

	(void)state;
	while (at) {
		uint8_t id = cfg_read(SLOT, at, 1);

		if (id == PCI_CAP_ID_VNDR) {
			uint8_t type = cfg_read(SLOT, at + 3, 1);

			found |= 1 << type;
			assert_int_equal(cfg_read(SLOT, at + 4, 1), 0);
			assert_true(cfg_read(SLOT, at + 8, 4) + cfg_read(SLOT, at + 12, 4) <= 0x4000);
			if (type == VIRTIO_PCI_CAP_NOTIFY_CFG)
				assert_int_equal(cfg_read(SLOT, at + 16, 4), 4);
		} else {
			assert_int_equal(id, PCI_CAP_ID_MSIX);
			assert_int_equal(cfg_read(SLOT, at + 2, 2), NQUEUES);
			assert_int_equal(cfg_read(SLOT, at + 4, 4), 1);
			assert_int_equal(cfg_read(SLOT, at + 8, 4), MSIX_PBA_OFFSET | 1);
			found |= 1;
		}
		at = cfg_read(SLOT, at + 1, 1);
	}
	assert_int_equal(found, 0x1f);
}

static void set_status(uint32_t base, uint8_t s)
{
	mmio_write(base + VIRTIO_PCI_COMMON_STATUS, s, 1);
}

static uint8_t get_status(uint32_t base)
{
	return mmio_read(base + VIRTIO_PCI_COMMON_STATUS, 1);
}

static void negotiates(void **state)
{
	uint32_t base = bar(0);

	(void)state;
	enable();
	mmio_write(base + VIRTIO_PCI_COMMON_DFSELECT, 0, 4);
	assert_int_equal(mmio_read(base + VIRTIO_PCI_COMMON_DF, 4), 1 << VIRTIO_BLK_F_FLUSH);
	mmio_write(base + VIRTIO_PCI_COMMON_DFSELECT, 1, 4);
	assert_int_equal(mmio_read(base + VIRTIO_PCI_COMMON_DF, 4), 1);
	mmio_write(base + VIRTIO_PCI_COMMON_DFSELECT, 7, 4);
	assert_int_equal(mmio_read(base + VIRTIO_PCI_COMMON_DF, 4), 0);

	set_status(base, 3);
	set_status(base, 3 | VIRTIO_CONFIG_S_FEATURES_OK);
	assert_int_equal(get_status(base), 3);
	mmio_write(base + VIRTIO_PCI_COMMON_GFSELECT, 1, 4);
	mmio_write(base + VIRTIO_PCI_COMMON_GF, 1, 4);
	set_status(base, 3 | VIRTIO_CONFIG_S_FEATURES_OK);
	assert_int_equal(get_status(base), 3 | VIRTIO_CONFIG_S_FEATURES_OK);
	/* too late */
	mmio_write(base + VIRTIO_PCI_COMMON_GFSELECT, 0, 4);
	mmio_write(base + VIRTIO_PCI_COMMON_GF, 0xffffffff, 4);
	assert_int_equal(f->vdev.accepted, FEATURE(VIRTIO_F_VERSION_1));
	assert_int_equal(f->starts, 0);
	set_status(base, 15);
	assert_int_equal(f->starts, 1);
	set_status(base, 15);
	assert_int_equal(f->starts, 1);
}

static void set_up_queue(uint32_t base, uint16_t q)
{
	mmio_write(base + VIRTIO_PCI_COMMON_Q_SELECT, q, 2);
	mmio_write(base + VIRTIO_PCI_COMMON_Q_SIZE, 64, 2);
	mmio_write(base + VIRTIO_PCI_COMMON_Q_DESCLO, 0x1000, 4);
	mmio_write(base + VIRTIO_PCI_COMMON_Q_DESCHI, 0x1, 4);
	mmio_write(base + VIRTIO_PCI_COMMON_Q_AVAILLO, 0x2000, 4);
	mmio_write(base + VIRTIO_PCI_COMMON_Q_USEDLO, 0x3000, 4);
	mmio_write(base + VIRTIO_PCI_COMMON_Q_MSIX, q + 1, 2);
	mmio_write(base + VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
}

static void queues(void **state)
{
	uint32_t base = bar(0);

	(void)state;
	enable();
	mmio_write(base + VIRTIO_PCI_COMMON_Q_SELECT, 2, 2);
	assert_int_equal(mmio_read(base + VIRTIO_PCI_COMMON_Q_SIZE, 2), VQ_MAX_SIZE);
	assert_int_equal(mmio_read(base + VIRTIO_PCI_COMMON_Q_NOFF, 2), 2);
	set_up_queue(base, 2);
	assert_int_equal(f->vdev.queue[2].cfg.size, 64);
	assert_int_equal(f->vdev.queue[2].cfg.desc, 0x100001000);
	assert_true(f->vdev.queue[2].enabled);
	assert_int_equal(f->vdev.queue[2].call_fd, f->vp.msix.vector[3].fd);
	/* enabled, so constant */
	mmio_write(base + VIRTIO_PCI_COMMON_Q_SIZE, 32, 2);
	mmio_write(base + VIRTIO_PCI_COMMON_Q_DESCLO, 0x9000, 4);
	assert_int_equal(f->vdev.queue[2].cfg.desc, 0x100001000);
	/* a queue that does not exist */
	mmio_write(base + VIRTIO_PCI_COMMON_Q_SELECT, NQUEUES, 2);
	assert_int_equal(mmio_read(base + VIRTIO_PCI_COMMON_Q_SIZE, 2), 0);
	set_up_queue(base, NQUEUES);
	set_up_queue(base, 0xffff);
	/* a vector that does not exist */
	mmio_write(base + VIRTIO_PCI_COMMON_Q_SELECT, 1, 2);
	mmio_write(base + VIRTIO_PCI_COMMON_Q_MSIX, NQUEUES + 1, 2);
	assert_int_equal(mmio_read(base + VIRTIO_PCI_COMMON_Q_MSIX, 2), 0xffff);
	assert_int_equal(f->vdev.queue[1].call_fd, -1);
}

static void resets(void **state)
{
	uint32_t base = bar(0);

	(void)state;
	enable();
	mmio_write(base + VIRTIO_PCI_COMMON_GFSELECT, 1, 4);
	mmio_write(base + VIRTIO_PCI_COMMON_GF, 1, 4);
	set_up_queue(base, 0);
	set_status(base, 11);
	/* not started, so at once */
	set_status(base, 0);
	assert_int_equal(get_status(base), 0);
	assert_int_equal(f->resets, 0);
	assert_false(f->vdev.queue[0].enabled);

	mmio_write(base + VIRTIO_PCI_COMMON_GF, 1, 4);
	set_status(base, 15);
	set_status(base, 0);
	assert_int_equal(f->resets, 1);
	assert_int_equal(get_status(base), 15);
	/* writes are ignored meanwhile */
	set_status(base, 1);
	set_up_queue(base, 1);
	assert_false(f->vdev.queue[1].enabled);
	virtio_reset_done(&f->vdev);
	assert_int_equal(get_status(base), 0);
}

static void set_vector(uint32_t table, unsigned int v, uint64_t addr, uint32_t data, uint32_t ctl)
{
	mmio_write(table + v * 16, addr, 4);
	mmio_write(table + v * 16 + 4, addr >> 32, 4);
	mmio_write(table + v * 16 + 8, data, 4);
	mmio_write(table + v * 16 + 12, ctl, 4);
}

static void msix_control_write(uint16_t v)
{
	cfg_write(SLOT, f->vp.msix_cap + PCI_MSIX_FLAGS, v, 2);
}

static void vectors(void **state)
{
	uint32_t table = bar(1);

	(void)state;
	enable();
	assert_int_equal(mmio_read(table + 12, 4), 1);
	set_vector(table, 1, 0xfee01000, 0x4021, 0);
	assert_false(fake.bound[GSI + 1]);
	msix_control_write(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	assert_false(fake.bound[GSI + 1]);
	msix_control_write(PCI_MSIX_FLAGS_ENABLE);
	assert_true(fake.bound[GSI + 1]);
	assert_false(fake.bound[GSI + 0]);
	assert_int_equal(fake.msi_addr[GSI + 1], 0xfee01000);
	assert_int_equal(fake.msi_data[GSI + 1], 0x4021);
	/* moved to another processor while bound */
	set_vector(table, 1, 0xfee02000, 0x4022, 0);
	assert_true(fake.bound[GSI + 1]);
	assert_int_equal(fake.msi_addr[GSI + 1], 0xfee02000);
	assert_int_equal(mmio_read(table + 16, 8), 0xfee02000);
	/* masked, so it becomes pending */
	assert_int_equal(mmio_read(table + MSIX_PBA_OFFSET, 8), 0);
	set_vector(table, 1, 0xfee02000, 0x4022, 1);
	assert_false(fake.bound[GSI + 1]);
	event_signal(f->vp.msix.vector[1].fd);
	assert_int_equal(mmio_read(table + MSIX_PBA_OFFSET, 8), 2);
	mmio_write(table + MSIX_PBA_OFFSET, 0, 8);
	assert_int_equal(mmio_read(table + MSIX_PBA_OFFSET, 4), 2);
	/* outside the table, and odd accesses */
	set_vector(table, NQUEUES + 1, 1, 1, 0);
	mmio_write(table + 4095, 0xff, 1);
	mmio_write(table + 4092, 0xff, 4);
	assert_int_equal(mmio_read(table + 4088, 8), 0);
	assert_int_equal(mmio_read(table + 14, 2), 0);
	assert_int_equal(mmio_read(table + MSIX_PBA_OFFSET + 4, 4), 0);
}

static void other_structures(void **state)
{
	uint32_t base = bar(0);

	(void)state;
	enable();
	atomic_store(&f->vdev.isr, 3);
	assert_int_equal(mmio_read(base + 0x1000, 1), 3);
	assert_int_equal(mmio_read(base + 0x1000, 1), 0);
	assert_int_equal(mmio_read(base + 0x2004, 4), 0x54545454);
	assert_int_equal(mmio_read(base + 0x200c, 8), 0);
	assert_int_equal(mmio_read(base + 0x2ffc, 4), 0);
	/* a notification that KVM did not handle */
	mmio_write(base + 0x3000 + 4, 1, 2);
	event_clear(f->vdev.queue[1].kick_fd);
	mmio_write(base + 0x3000 + 4 * NQUEUES, 1, 2);
	mmio_write(base + 0x3ffc, 1, 4);
}

/* Random widths and addresses: nothing crashes (run it with SAN=1). */
static void random_accesses(void **state)
{
	static const unsigned int widths[] = { 1, 2, 4, 8 };
	uint32_t base = bar(0), table = bar(1);

	(void)state;
	srandom(1);
	enable();
	for (int i = 0; i < 200000; i++) {
		unsigned int len = widths[random() % 4];
		uint64_t addr = random() % 2 ? base + random() % 0x4000 : table + random() % 0x1000;

		/* reading the eventfd of a queue blocks, writing never does */
		if (random() % 2)
			mmio_write(addr, random(), len);
		else
			mmio_read(addr, len);
		if (f->vdev.resetting)
			virtio_reset_done(&f->vdev);
		if (random() % 1000 == 0)
			cfg_write(SLOT, f->vp.msix_cap + 2, random(), 2);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(finds_devices), T(identity_is_constant), T(bars_have_sizes),
		T(decodes_only_when_enabled), T(notifications_follow_the_bar), T(few_messages),
		T(capabilities),
		T(negotiates), T(queues), T(resets), T(vectors), T(other_structures),
		T(random_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
