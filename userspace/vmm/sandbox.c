// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drops privileges, and installs a system call filter for each role.
 */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "sandbox.h"
#include "term.h"
#include "util.h"
#include "vm.h"

#define NOBODY 65534

/* Set before any thread exists. */
static bool sandbox_enabled;

/* What libc needs, and any thread to end. */
static const int common_calls[] = {
	SCMP_SYS(futex), SCMP_SYS(write), SCMP_SYS(read), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(madvise), SCMP_SYS(munmap),
	SCMP_SYS(restart_syscall), SCMP_SYS(clock_gettime), SCMP_SYS(brk), SCMP_SYS(gettid),
	SCMP_SYS(getpid), SCMP_SYS(close), SCMP_SYS(rseq), SCMP_SYS(set_robust_list),
	SCMP_SYS(sched_yield),
};

static const int main_calls[] = {
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(tgkill), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(fdatasync), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(lseek),
};

static const int vcpu_calls[] = { SCMP_SYS(poll) };

/* poll() finds a pending interrupt that the guest has masked. */
static const int disk_calls[] = { SCMP_SYS(io_uring_enter), SCMP_SYS(poll) };

static const int slow_calls[] = { SCMP_SYS(fallocate), SCMP_SYS(fdatasync) };

static const unsigned long vcpu_ioctls[] = {
	KVM_RUN, KVM_SET_GSI_ROUTING, KVM_IRQFD, KVM_IOEVENTFD, KVM_IRQ_LINE,
};
static const unsigned long main_ioctls[] = { KVM_IRQ_LINE };
static const unsigned long disk_ioctls[] = { KVM_IRQFD };
static const unsigned long slow_ioctls[] = { BLKDISCARD, BLKZEROOUT };

static const struct {
	const int *calls;
	size_t ncalls;
	const unsigned long *ioctls;
	size_t nioctls;
} roles[] = {
#define ROLE(c, i) { c, ARRAY_SIZE(c), i, ARRAY_SIZE(i) }
	[SANDBOX_MAIN] = ROLE(main_calls, main_ioctls),
	[SANDBOX_VCPU] = ROLE(vcpu_calls, vcpu_ioctls),
	[SANDBOX_DISK] = ROLE(disk_calls, disk_ioctls),
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

static int drop_root(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	/*
	 * Changing the uid clears the capabilities of root. Those of other users must be dropped
	 * explicitly.
	 */
	if (!geteuid() && (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
			   setresuid(NOBODY, NOBODY, NOBODY)))
		return -errno;
	if (syscall(SYS_capset, &h, none))
		return -errno;
	return 0;
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

int sandbox_drop_privileges(bool enabled)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };
	int err;

	sandbox_enabled = enabled;
	if (!enabled)
		return 0;
	sigaction(SIGSYS, &sa, NULL);
	/* A container may forbid changing ids: then only the filters remain. */
	err = drop_root();
	if (err == -EPERM)
		say("keeping the user id: the host does not allow changing it");
	else if (err)
		return say_errno(-err, "cannot drop privileges");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return say_errno(errno, "cannot set no_new_privs");
	return 0;
}
