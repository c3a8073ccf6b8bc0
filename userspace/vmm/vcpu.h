/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The processors of the guest, a thread each.
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* entry: the address at which the boot processor starts. Returns 0, or -errno after a message. */
int vcpu_create_all(struct vm *vm, uint64_t entry);
int vcpu_start_all(struct vm *vm);
/*
 * Pause the guest: no processor runs until vcpu_resume_all(), or the end. Its disks go on. By the
 * main thread, as the next one.
 */
void vcpu_pause_all(struct vm *vm);
void vcpu_resume_all(struct vm *vm);

void vcpu_stop_all(struct vm *vm);

#endif
