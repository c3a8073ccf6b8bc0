// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual processors: each has a thread that runs the guest and handles its accesses to devices.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "boot.h"
#include "cpuid.h"
#include "sandbox.h"
#include "util.h"
#include "vcpu.h"
#include "vm.h"

/* SIGUSR1 is one of the supervisor's, and blocked here. */
#define KICK_SIGNAL	SIGUSR2

#define CR0_PE		(1U << 0)
#define CR0_MP		(1U << 1)
#define CR0_ET		(1U << 4)
#define CR0_NE		(1U << 5)
#define CR0_WP		(1U << 16)
#define CR0_PG		(1U << 31)
#define CR4_PAE		(1U << 5)
#define EFER_LME	(1U << 8)
#define EFER_LMA	(1U << 10)

#define MSR_IA32_MISC_ENABLE	0x1a0
#define MISC_ENABLE_FAST_STRING	1
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MTRR_ENABLE_WRITEBACK	0x806

static struct kvm_segment flat_segment(uint16_t selector, uint8_t type, bool code)
{
	return (struct kvm_segment) {
		.selector = selector,
		.limit = 0xffffffff,
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
		.l = code,
		.db = !code,
	};
}

/* The state required by the 64-bit boot protocol. */
static int setup_boot_cpu(const struct vcpu *vcpu, uint64_t entry)
{
	struct kvm_regs regs = { .rip = entry, .rsi = BOOT_PARAMS_ADDR, .rflags = 2 };
	struct kvm_sregs s;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &s))
		return -errno;
	s.cs = flat_segment(BOOT_CS, 0xb, true);
	s.ds = s.es = s.ss = s.fs = s.gs = flat_segment(BOOT_DS, 3, false);
	s.gdt.base = BOOT_GDT_ADDR;
	s.gdt.limit = 4 * 8 - 1;
	s.idt.base = 0;
	s.idt.limit = 0;
	s.cr3 = BOOT_PML4_ADDR;
	s.cr4 |= CR4_PAE;
	s.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	s.efer |= EFER_LME | EFER_LMA;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &s) || ioctl(vcpu->fd, KVM_SET_REGS, &regs))
		return -errno;
	return 0;
}

/* What firmware sets up on a PC. Some hosts lack one of these, which is not worth a failure. */
static void setup_msrs(const struct vcpu *vcpu)
{
	struct {
		struct kvm_msrs h;
		struct kvm_msr_entry entry[2];
	} m = {
		.h = { .nmsrs = 2 },
		.entry = {
			{ .index = MSR_IA32_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRING },
			{ .index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLE_WRITEBACK },
		},
	};

	ioctl(vcpu->fd, KVM_SET_MSRS, &m);
}

static int create_one(struct vm *vm, struct vcpu *vcpu, unsigned int id)
{
	int size = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);
	if (size <= 0 || vcpu->fd < 0)
		return say_errno(errno, "cannot create processor %u", id);
	vcpu->run_size = size;
	vcpu->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		return say_errno(errno, "cannot map processor %u", id);
	setup_msrs(vcpu);
	return cpuid_setup(vcpu);
}

int vcpu_create_all(struct vm *vm, uint64_t entry)
{
	int err = 0;

	vm->vcpu = calloc(vm->ncpus, sizeof(*vm->vcpu));
	if (!vm->vcpu)
		return -ENOMEM;
	for (unsigned int i = 0; i < vm->ncpus && !err; i++)
		err = create_one(vm, &vm->vcpu[i], i);
	if (err)
		return err;
	/* The other processors wait in KVM for the start-up message of the guest. */
	err = setup_boot_cpu(&vm->vcpu[0], entry);
	return err ? say_errno(-err, "cannot set up the boot processor") : 0;
}

static void handle_io(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	/* A string instruction yields several accesses to the same port. */
	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size)
		bus_access(&vcpu->vm->pio, run->io.port, data, run->io.size,
			   run->io.direction == KVM_EXIT_IO_OUT);
}

static void handle_exit(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		handle_io(vcpu);
		break;
	case KVM_EXIT_MMIO:
		bus_access(&vcpu->vm->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len,
			   run->mmio.is_write);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_HLT:
		break;
	case KVM_EXIT_SHUTDOWN:
		say("processor %u: triple fault", vcpu->id);
		vm_end(vcpu->vm, END_CRASH);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		say("processor %u: KVM internal error %u", vcpu->id, run->internal.suberror);
		vm_end(vcpu->vm, END_CRASH);
		break;
	default:
		say("processor %u: KVM exit reason %u", vcpu->id, run->exit_reason);
		vm_end(vcpu->vm, END_CRASH);
	}
}

/* The guest need not conclude from the time that has passed that a processor hangs. */
static void wait_while_paused(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	if (!atomic_load(&vm->paused))
		return;
	pthread_mutex_lock(&vm->pause_lock);
	vm->nwaiting++;
	while (atomic_load(&vm->paused) && !vm_ending(vm))
		pthread_cond_wait(&vm->pause_cond, &vm->pause_lock);
	vm->nwaiting--;
	pthread_mutex_unlock(&vm->pause_lock);
	ioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, 0);
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	struct vm *vm = vcpu->vm;

	sandbox_enter(SANDBOX_VCPU);
	while (!vm_ending(vm)) {
		wait_while_paused(vcpu);
		if (!ioctl(vcpu->fd, KVM_RUN, 0)) {
			handle_exit(vcpu);
		} else if (errno != EINTR && errno != EAGAIN) {
			say_errno(errno, "processor %u cannot run", vcpu->id);
			vm_end(vm, END_CRASH);
		}
	}
	return NULL;
}

static void on_kick(int sig)
{
	(void)sig;	/* its only purpose is to interrupt system calls */
}

int vcpu_start_all(struct vm *vm)
{
	struct sigaction sa = { .sa_handler = on_kick };
	int err;

	sigaction(KICK_SIGNAL, &sa, NULL);
	for (unsigned int i = 0; i < vm->ncpus; i++) {
		err = pthread_create(&vm->vcpu[i].thread, NULL, vcpu_thread, &vm->vcpu[i]);
		if (err)
			return say_errno(err, "cannot start processor %u", i);
		vm->vcpu[i].started = true;
	}
	return 0;
}

static void set_immediate_exit(struct vm *vm, uint8_t val)
{
	for (unsigned int i = 0; i < vm->ncpus; i++)
		if (vm->vcpu[i].started)
			__atomic_store_n(&vm->vcpu[i].run->immediate_exit, val, __ATOMIC_SEQ_CST);
}

static void kick_started(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->ncpus; i++)
		if (vm->vcpu[i].started)
			pthread_kill(vm->vcpu[i].thread, KICK_SIGNAL);
}

/*
 * As at the end: immediate_exit closes the window between the check and KVM_RUN, and one signal is
 * enough, because whatever other system call it hits is followed by the check.
 */
void vcpu_pause_all(struct vm *vm)
{
	atomic_store(&vm->paused, true);
	set_immediate_exit(vm, 1);
	kick_started(vm);
}

static void wake_paused(struct vm *vm)
{
	pthread_mutex_lock(&vm->pause_lock);
	pthread_cond_broadcast(&vm->pause_cond);
	pthread_mutex_unlock(&vm->pause_lock);
}

void vcpu_resume_all(struct vm *vm)
{
	set_immediate_exit(vm, 0);
	atomic_store(&vm->paused, false);
	wake_paused(vm);
}

/*
 * Signal all remaining threads, give them a moment, and return whether any is left. Signal all of
 * them, because one may wait for a lock, which a signal does not interrupt, while another one holds
 * it in a write to a console that is not read.
 */
static bool kick_all(struct vm *vm)
{
	struct timespec until;
	bool left = false;

	kick_started(vm);
	until = in_ms(50);
	for (unsigned int i = 0; i < vm->ncpus; i++) {
		struct vcpu *vcpu = &vm->vcpu[i];

		if (vcpu->started)
			vcpu->started = pthread_clockjoin_np(vcpu->thread, NULL, CLOCK_MONOTONIC,
							     &until);
		left |= vcpu->started;
	}
	return left;
}

/*
 * The caller has set vm->end. immediate_exit closes the window between the check of vm->end and
 * KVM_RUN. Another system call may still begin just after a signal, so signals are repeated until
 * all threads have ended.
 */
void vcpu_stop_all(struct vm *vm)
{
	set_immediate_exit(vm, 1);
	wake_paused(vm);
	while (kick_all(vm))
		;
}
