// SPDX-License-Identifier: GPL-2.0-only
/*
 * Creates the virtual machine: KVM's handles, memory, interrupt controllers.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "util.h"
#include "vm.h"

/* Three pages for real mode on Intel, and one for its page table: unused addresses below 4 GiB. */
#define KVM_TSS_ADDR		0xfffbd000UL
#define KVM_IDENTITY_MAP_ADDR	0xfffbc000UL

static const struct {
	int cap;
	const char *what;
} needed[] = {
	{ KVM_CAP_IRQCHIP, "in-kernel interrupt controllers" },
	{ KVM_CAP_PIT2, "in-kernel timer" },
	{ KVM_CAP_IRQFD, "irqfd" },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, "ioeventfd of any length" },
	{ KVM_CAP_IRQ_ROUTING, "interrupt routing" },
	{ KVM_CAP_EXT_CPUID, "CPUID" },
	{ KVM_CAP_IMMEDIATE_EXIT, "immediate exit" },
};

static int check_kvm(struct vm *vm)
{
	if (ioctl(vm->kvm_fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return say_errno(EPROTO, "/dev/kvm has another version of the interface");
	for (unsigned int i = 0; i < ARRAY_SIZE(needed); i++)
		if (ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, needed[i].cap) <= 0)
			return say_errno(ENOTSUP, "KVM lacks: %s", needed[i].what);
	return 0;
}

static int add_region(struct vm *vm, uint64_t gpa, uint64_t size, void *hva)
{
	struct kvm_userspace_memory_region slot = {
		.slot = vm->mem.nregions,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	vm->mem.region[vm->mem.nregions++] = (struct mem_region) { gpa, size, hva };
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot))
		return say_errno(errno, "cannot give the guest memory at %#lx", (unsigned long)gpa);
	return 0;
}

static int create_memory(struct vm *vm, uint64_t bytes)
{
	uint64_t low = min_u64(bytes, LOWMEM_END);
	uint8_t *p;
	int err;

	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		 -1, 0);
	if (p == MAP_FAILED)
		return say_errno(errno, "cannot allocate %lu MiB for the guest",
				 (unsigned long)(bytes >> 20));
	/* Optional: fewer faults, and no secrets of the guest in a core file. */
	madvise(p, bytes, MADV_HUGEPAGE);
	madvise(p, bytes, MADV_DONTDUMP);

	err = add_region(vm, 0, low, p);
	if (!err && bytes > low)
		err = add_region(vm, HIGHMEM_BASE, bytes - low, p + low);
	return err;
}

/*
 * No performance counters, see cpuid.c; KVM emulates AMD's first ones whatever CPUID says. Before
 * 5.18 it has no such switch.
 */
static void disable_pmu(struct vm *vm)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_PMU_CAPABILITY,
		.args = { KVM_PMU_CAP_DISABLE },
	};

	ioctl(vm->fd, KVM_ENABLE_CAP, &cap);
}

static int create_irqchip(struct vm *vm)
{
	uint64_t identity = KVM_IDENTITY_MAP_ADDR;
	/* The dummy speaker is at port 0x61, where kernels calibrate timers. */
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	int err;

	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, KVM_TSS_ADDR) ||
	    ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) ||
	    ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) ||
	    ioctl(vm->fd, KVM_CREATE_PIT2, &pit))
		return say_errno(errno, "cannot create the interrupt controllers");
	err = irq_init(&vm->irq, vm->fd);
	if (err)
		return say_errno(-err, "cannot route interrupts");
	return 0;
}

int vm_open(struct vm *vm)
{
	memset(vm, 0, sizeof(*vm));
	atomic_init(&vm->end, END_NONE);
	vm->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm_fd < 0)
		return say_errno(errno, "cannot open /dev/kvm");
	return check_kvm(vm);
}

int vm_create(struct vm *vm, uint64_t mem_bytes, unsigned int ncpus)
{
	int err;

	vm->ncpus = ncpus;
	pthread_mutex_init(&vm->pause_lock, NULL);
	pthread_cond_init(&vm->pause_cond, NULL);
	vm->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->end_fd < 0)
		return say_errno(errno, "eventfd");
	vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return say_errno(errno, "cannot create a virtual machine");
	disable_pmu(vm);
	err = create_irqchip(vm);
	if (err)
		return err;
	return create_memory(vm, mem_bytes);
}

void vm_end(struct vm *vm, enum vm_end why)
{
	int none = END_NONE;

	if (atomic_compare_exchange_strong(&vm->end, &none, why))
		event_signal(vm->end_fd);
}
