// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID of the guest: what KVM supports on this host, but with our topology: one package, one
 * thread per core, APIC ids in order.
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

static void patch_leaf1(const struct vcpu *vcpu, struct kvm_cpuid_entry2 *e)
{
	unsigned int ncpus = vcpu->vm->ncpus;

	e->ebx = (e->ebx & 0xffff) | ncpus << 16 | vcpu->id << 24;
	e->ecx |= ECX1_HYPERVISOR;
	/* KVM's APIC emulates it for both vendors, but KVM does not list it as a feature. */
	if (ioctl(vcpu->vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
		e->ecx |= ECX1_TSC_DEADLINE;
	if (ncpus > 1)
		e->edx |= EDX1_HTT;
}

static void patch(const struct vcpu *vcpu, struct kvm_cpuid_entry2 *e)
{
	unsigned int ncpus = vcpu->vm->ncpus;

	switch (e->function) {
	case 1:
		patch_leaf1(vcpu, e);
		break;
	case 4:			/* Intel's caches: cores in the package */
		if (e->eax & 0x1f)
			e->eax = (e->eax & ~0xfc000000U) | (ncpus - 1) << 26;
		break;
	case 0x80000008:	/* AMD: number of cores, width of the core's id */
		e->ecx = bits_for(ncpus) << 12 | (ncpus - 1);
		break;
	case 0x8000001e:	/* AMD: APIC id; core id, one thread; node 0 of one */
		e->eax = vcpu->id;
		e->ebx = vcpu->id;
		e->ecx = 0;
		break;
	}
}

/* Leaf 0xb describes the levels of the topology. It is empty in the list that KVM supplies. */
static void add_topology(const struct vcpu *vcpu, struct kvm_cpuid2 *t)
{
	unsigned int ncpus = vcpu->vm->ncpus;

	for (unsigned int level = 0; level < TOPOLOGY_LEVELS; level++)
		t->entries[t->nent++] = (struct kvm_cpuid_entry2) {
			.function = 0xb,
			.index = level,
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			.eax = level ? bits_for(ncpus) : 0,
			.ebx = level ? ncpus : 1,
			.ecx = (level + 1) << 8 | level,
			.edx = vcpu->id,
		};
}

int cpuid_setup(const struct vcpu *vcpu)
{
	struct kvm_cpuid2 *t;
	unsigned int kept = 0;
	int err = 0;

	t = calloc(1, sizeof(*t) + (MAX_ENTRIES + TOPOLOGY_LEVELS) * sizeof(t->entries[0]));
	if (!t)
		return -ENOMEM;
	t->nent = MAX_ENTRIES;
	if (ioctl(vcpu->vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, t)) {
		err = say_errno(errno, "cannot ask KVM for the processor's features");
		goto out;
	}
	for (unsigned int i = 0; i < t->nent; i++) {
		if (t->entries[i].function == 0xb || t->entries[i].function == 0x1f)
			continue;
		t->entries[kept] = t->entries[i];
		patch(vcpu, &t->entries[kept++]);
	}
	t->nent = kept;
	add_topology(vcpu, t);
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, t))
		err = say_errno(errno, "cannot set the processor's features");
out:
	free(t);
	return err;
}
