/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUID of the processors of the guest.
 */
#ifndef VMM_CPUID_H
#define VMM_CPUID_H

struct vcpu;

/* Returns 0, or -errno after a message. */
int cpuid_setup(const struct vcpu *vcpu);

#endif
