// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID of the guest: what KVM supports on this host, without nested virtualization and performance
 * counters, and with our topology: one package, one thread per core, APIC ids in order.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "cpuid.h"
#include "util.h"
#include "vcpu.h"
#include "vm.h"

#define MAX_ENTRIES	256
#define TOPOLOGY_LEVELS	2

#define ECX1_TSC_DEADLINE	(1U << 24)
#define ECX1_HYPERVISOR		(1U << 31)
#define EDX1_HTT		(1U << 28)

static unsigned int bits_for(unsigned int n)
{
	unsigned int bits = 0;

	while (1U << bits < n)
		bits++;
	return bits;
}

/*
 * Nested virtualization and performance counters are large parts of KVM that a hostile guest could
 * attack, and no guest needs them here. KVM refuses to the guest what CPUID does not have; for AMD's
 * first four counters, which exist without CPUID, see vm.c.
 */
static const struct {
	uint32_t function, index;
	uint32_t eax, ebx, ecx, edx;		/* bits to take away */
} hidden[] = {
	/* DTES64, DS-CPL, VMX, SMX, PDCM; DS */
	{ 1, 0, .ecx = 1U << 2 | 1U << 4 | 1U << 5 | 1U << 6 | 1U << 15, .edx = 1U << 21 },
	/* Processor Trace; architectural LBR */
	{ 7, 0, .ebx = 1U << 25, .edx = 1U << 19 },
	/* ArchPerfMonExt */
	{ 7, 1, .eax = 1U << 8 },
	/* SVM, IBS, SKINIT, the counters of core, north bridge and last level cache */
	{ 0x80000001, 0,
	  .ecx = 1U << 2 | 1U << 10 | 1U << 12 | 1U << 23 | 1U << 24 | 1U << 28 },
};

/*
 * Leaves that describe the same, and the topology, which is added anew: performance monitoring, its
 * extensions, Processor Trace, LBR; SVM, IBS, AMD's PerfMonV2.
 */
static const uint32_t dropped[] = {
	0xa, 0x23, 0x14, 0x1c, 0x8000000a, 0x8000001b, 0x80000022, 0xb, 0x1f,
};

static bool is_dropped(uint32_t function)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(dropped); i++)
		if (dropped[i] == function)
			return true;
	return false;
}

static void hide(struct kvm_cpuid_entry2 *e)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(hidden); i++) {
		if (hidden[i].function != e->function || hidden[i].index != e->index)
			continue;
		e->eax &= ~hidden[i].eax;
		e->ebx &= ~hidden[i].ebx;
		e->ecx &= ~hidden[i].ecx;
		e->edx &= ~hidden[i].edx;
	}
}

static void patch_leaf1(const struct cpuid_cpu *cpu, struct kvm_cpuid_entry2 *e)
{
	e->ebx = (e->ebx & 0xffff) | cpu->ncpus << 16 | cpu->id << 24;
	e->ecx |= ECX1_HYPERVISOR;
	/* KVM's APIC emulates it for both vendors, but KVM does not list it as a feature. */
	if (cpu->tsc_deadline)
		e->ecx |= ECX1_TSC_DEADLINE;
	if (cpu->ncpus > 1)
		e->edx |= EDX1_HTT;
}

static void patch(const struct cpuid_cpu *cpu, struct kvm_cpuid_entry2 *e)
{
	switch (e->function) {
	case 1:
		patch_leaf1(cpu, e);
		break;
	case 4:			/* Intel's caches: cores in the package */
		if (e->eax & 0x1f)
			e->eax = (e->eax & ~0xfc000000U) | (cpu->ncpus - 1) << 26;
		break;
	case 0x80000008:	/* AMD: number of cores, width of the core's id */
		e->ecx = bits_for(cpu->ncpus) << 12 | (cpu->ncpus - 1);
		break;
	case 0x8000001e:	/* AMD: APIC id; core id, one thread; node 0 of one */
		e->eax = cpu->id;
		e->ebx = cpu->id;
		e->ecx = 0;
		break;
	}
}

/* Leaf 0xb describes the levels of the topology. It is empty in the list that KVM supplies. */
static void add_topology(const struct cpuid_cpu *cpu, struct kvm_cpuid2 *t)
{
	for (unsigned int level = 0; level < TOPOLOGY_LEVELS; level++)
		t->entries[t->nent++] = (struct kvm_cpuid_entry2) {
			.function = 0xb,
			.index = level,
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			.eax = level ? bits_for(cpu->ncpus) : 0,
			.ebx = level ? cpu->ncpus : 1,
			.ecx = (level + 1) << 8 | level,
			.edx = cpu->id,
		};
}

void cpuid_adapt(const struct cpuid_cpu *cpu, struct kvm_cpuid2 *t)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < t->nent; i++) {
		if (is_dropped(t->entries[i].function))
			continue;
		t->entries[kept] = t->entries[i];
		hide(&t->entries[kept]);
		patch(cpu, &t->entries[kept++]);
	}
	t->nent = kept;
	add_topology(cpu, t);
}

int cpuid_setup(const struct vcpu *vcpu)
{
	const struct vm *vm = vcpu->vm;
	struct cpuid_cpu cpu = {
		.id = vcpu->id,
		.ncpus = vm->ncpus,
		.tsc_deadline = ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION,
				      KVM_CAP_TSC_DEADLINE_TIMER) > 0,
	};
	struct kvm_cpuid2 *t;
	int err = 0;

	t = calloc(1, sizeof(*t) + (MAX_ENTRIES + TOPOLOGY_LEVELS) * sizeof(t->entries[0]));
	if (!t)
		return -ENOMEM;
	t->nent = MAX_ENTRIES;
	if (ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, t)) {
		err = say_errno(errno, "cannot ask KVM for the processor's features");
		goto out;
	}
	cpuid_adapt(&cpu, t);
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, t))
		err = say_errno(errno, "cannot set the processor's features");
out:
	free(t);
	return err;
}
