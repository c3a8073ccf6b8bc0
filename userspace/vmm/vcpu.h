/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include <pthread.h>
#include <stdbool.h>

struct kvm_run;
struct vm;

struct vcpu {
	struct vm *vm;
	unsigned int id;
	int fd;
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	bool started;
};

/* cpuid.c: tells the processor what it is. 0 or -errno. */
int cpuid_setup(const struct vcpu *vcpu);

#endif
