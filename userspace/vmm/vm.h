/* SPDX-License-Identifier: GPL-2.0-only */
/* The virtual machine: handles of KVM, memory, buses, and its end. */
#ifndef VMM_VM_H
#define VMM_VM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus.h"
#include "guest-mem.h"
#include "irq.h"

#define VM_MAX_CPUS		16
#define VM_MAX_DISKS		8

/* Guest physical layout. Memory that does not fit below the hole continues at 4 GiB. */
#define LOWMEM_END		0xc0000000UL
#define PCI_MMIO_BASE		0xd0000000UL
#define PCI_MMIO_SIZE		0x10000000UL
#define HIGHMEM_BASE		0x100000000UL

/*
 * Exit statuses, as in the man page. Apart from 0, 1 and 2, so that a script can distinguish the
 * end of the guest from failures of the launcher.
 */
enum vm_end {
	END_NONE = -1,
	END_POWEROFF = 0,
	END_ERROR = 1,		/* the launcher could not start or continue */
	END_USAGE = 2,
	END_REBOOT = 3,		/* and is not to be booted again */
	END_PANIC = 4,
	END_CRASH = 5,		/* triple fault, or KVM cannot continue */
	END_STOPPED = 6,	/* SIGINT, SIGTERM, SIGHUP or the escape key */
	END_TIMEOUT = 124,	/* as timeout(1) */
};

struct vcpu;

struct vm {
	int kvm_fd;
	int fd;
	unsigned int ncpus;
	struct guest_mem mem;
	struct bus pio;
	struct bus mmio;
	struct irq_router irq;
	struct vcpu *vcpu;
	pthread_mutex_t pause_lock;	/* of the next two */
	pthread_cond_t pause_cond;
	unsigned int nwaiting;		/* processors that are paused */
	_Atomic bool paused;
	_Atomic int end;	/* enum vm_end; END_NONE while the guest runs */
	int end_fd;		/* eventfd, signalled when `end` is set */
};

/* Open KVM; VMs can be created afterwards without any rights. Returns 0, or -errno after a message. */
int vm_open(struct vm *vm);

/*
 * Create the VM, its memory and its interrupt controllers. Returns 0, or -errno after
 * a message.
 */
int vm_create(struct vm *vm, uint64_t mem_bytes, unsigned int ncpus);

/* Only the first reason counts: a reset after a panic report, for example, changes nothing. */
void vm_end(struct vm *vm, enum vm_end why);

static inline bool vm_ending(struct vm *vm)
{
	return atomic_load_explicit(&vm->end, memory_order_acquire) != END_NONE;
}

#endif
