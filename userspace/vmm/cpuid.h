/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUID of the guest's processors.
 */
#ifndef VMM_CPUID_H
#define VMM_CPUID_H

#include <stdbool.h>

struct kvm_cpuid2;
struct vcpu;

/* The processor for which a table is made. */
struct cpuid_cpu {
	unsigned int id;
	unsigned int ncpus;
	bool tsc_deadline;		/* KVM emulates this mode of the APIC's timer */
};

/*
 * Make what KVM supports on this host the table of a processor. The table must have room for two
 * more entries. Pure.
 */
void cpuid_adapt(const struct cpuid_cpu *cpu, struct kvm_cpuid2 *table);

/* Set the CPUID table of a processor. Returns 0, or -errno after a message. */
int cpuid_setup(const struct vcpu *vcpu);

#endif
