// SPDX-License-Identifier: GPL-2.0-only
/*
 * Installs a system call filter for each role.
 */
#include <errno.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <linux/kvm.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "sandbox.h"
#include "term.h"
#include "util.h"
#include "vm.h"

/* Set before any thread exists. */
static bool sandbox_enabled;
static int console;

/* What libc needs, a message, and any thread to end. */
static const int common_calls[] = {
	SCMP_SYS(futex), SCMP_SYS(write), SCMP_SYS(poll), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(madvise), SCMP_SYS(munmap),
	SCMP_SYS(restart_syscall), SCMP_SYS(clock_gettime), SCMP_SYS(brk), SCMP_SYS(gettid),
	SCMP_SYS(getpid),
};

static const int main_calls[] = {
	SCMP_SYS(read), SCMP_SYS(close), SCMP_SYS(fdatasync), SCMP_SYS(lseek),
};

static const int disk_calls[] = { SCMP_SYS(io_uring_enter) };

static const int slow_calls[] = { SCMP_SYS(fallocate), SCMP_SYS(fdatasync) };

static const unsigned long vcpu_ioctls[] = {
	KVM_RUN, KVM_SET_GSI_ROUTING, KVM_IRQFD, KVM_IOEVENTFD, KVM_IRQ_LINE, KVM_KVMCLOCK_CTRL,
};
static const unsigned long main_ioctls[] = { KVM_IRQ_LINE };
static const unsigned long slow_ioctls[] = { BLKDISCARD, BLKZEROOUT };

static const struct {
	const int *calls;
	size_t ncalls;
	const unsigned long *ioctls;
	size_t nioctls;
} roles[] = {
#define ROLE(c, i) { c, ARRAY_SIZE(c), i, ARRAY_SIZE(i) }
	[SANDBOX_MAIN] = ROLE(main_calls, main_ioctls),
	[SANDBOX_VCPU] = { NULL, 0, vcpu_ioctls, ARRAY_SIZE(vcpu_ioctls) },
	[SANDBOX_DISK] = { disk_calls, ARRAY_SIZE(disk_calls), NULL, 0 },
	[SANDBOX_DISK_SLOW] = ROLE(slow_calls, slow_ioctls),
#undef ROLE
};

static int allow_calls(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	return err;
}

static int allow_ioctl(scmp_filter_ctx ctx, unsigned long request)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				SCMP_A1_32(SCMP_CMP_EQ, (uint32_t)request));
}

/* The main thread signals the processors. Other processes are none of its business. */
static int allow_own_tgkill(scmp_filter_ctx ctx)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				SCMP_A0_64(SCMP_CMP_EQ, (uint64_t)getpid()));
}

/* Memory for malloc and arenas of new threads, but never executable. */
static int allow_memory(scmp_filter_ctx ctx)
{
	int err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				   SCMP_A2_32(SCMP_CMP_MASKED_EQ, 4 /* PROT_EXEC */, 0));

	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				       SCMP_A2_32(SCMP_CMP_MASKED_EQ, 4, 0));
	return err;
}

static int load_filter(enum sandbox_role role)
{
	scmp_filter_ctx ctx;
	int err;

	/*
	 * Trap instead of killing silently: the handler restores the terminal and prints the
	 * reason.
	 */
	ctx = seccomp_init(SCMP_ACT_TRAP);
	if (!ctx)
		return -ENOMEM;
	err = allow_calls(ctx, common_calls, ARRAY_SIZE(common_calls));
	if (!err)
		err = allow_calls(ctx, roles[role].calls, roles[role].ncalls);
	if (!err)
		err = allow_memory(ctx);
	if (!err && role == SANDBOX_VCPU && console >= 0)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ftruncate), 2,
				       SCMP_A0_32(SCMP_CMP_EQ, console), SCMP_A1_64(SCMP_CMP_EQ, 0));
	/* The ring lets go of the disk at the end. */
	if (!err && role == SANDBOX_DISK)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(io_uring_register), 1,
				       SCMP_A1_32(SCMP_CMP_EQ, IORING_UNREGISTER_FILES));
	if (!err && role == SANDBOX_MAIN)
		err = allow_own_tgkill(ctx);
	/* For that handler: tcsetattr() restores the terminal. */
	if (!err)
		err = allow_ioctl(ctx, TIOCGPGRP);
	if (!err)
		err = allow_ioctl(ctx, TCSETSF);
	if (!err)
		err = allow_ioctl(ctx, TCGETS);
	for (size_t i = 0; i < roles[role].nioctls && !err; i++)
		err = allow_ioctl(ctx, roles[role].ioctls[i]);
	if (!err)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	return err;
}

void sandbox_enter(enum sandbox_role role)
{
	int err = sandbox_enabled ? load_filter(role) : 0;

	if (err) {
		/*
		 * Continuing without a sandbox would go unnoticed, and an orderly end needs running
		 * threads.
		 */
		say_errno(-err, "cannot set up the sandbox");
		term_fatal();
	}
}

static void on_sigsys(int sig, siginfo_t *info, void *ctx)
{
	static const char text[] = "cowchain-vm: sandbox: system call not allowed: ";
	char num[8];
	int n = sizeof(num), nr = info->si_syscall;

	(void)sig;
	(void)ctx;
	/* In a signal handler: no stdio. */
	num[--n] = '\n';
	do {
		num[--n] = '0' + nr % 10;
		nr /= 10;
	} while (nr && n);
	term_restore();
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0 ||
	    write(STDERR_FILENO, num + n, sizeof(num) - n) < 0)
		_exit(END_ERROR);
	_exit(END_ERROR);
}

void sandbox_init(bool enabled, int console_fd)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };

	sandbox_enabled = enabled;
	console = console_fd;
	if (enabled)
		sigaction(SIGSYS, &sa, NULL);
}
