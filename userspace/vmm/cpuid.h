/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What CPUID tells the guest's processors.
 */
#ifndef VMM_CPUID_H
#define VMM_CPUID_H

struct vcpu;

/* 0 or -errno. */
int cpuid_setup(const struct vcpu *vcpu);

#endif
