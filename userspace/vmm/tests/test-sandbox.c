// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is left to whoever takes over the launcher: ids, capabilities, system calls. Each attempt is
 * made in a child, which has to be root for the first half.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "privileges.h"
#include "sandbox.h"
#include "under-tools.h"
#include "vm.h"

#define SKIPPED 77

/* The exit status of `fn` in a child. */
static int in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void expect_child(int (*fn)(void), int want)
{
	int got = in_child(fn);

	if (got == SKIPPED)
		skip();
	assert_int_equal(got, want);
}

/* A line of /proc/self/status, as a number. */
static unsigned long long status_line(const char *name)
{
	unsigned long long val = ~0ULL;
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			val = strtoull(line + strlen(name) + 1, NULL, 16);
	if (f)
		fclose(f);
	return val;
}

static bool has_nothing_left(void)
{
	return !status_line("CapEff") && !status_line("CapPrm") && !status_line("CapInh") &&
	       !status_line("CapBnd") && !status_line("CapAmb") && status_line("NoNewPrivs") == 1;
}

static int set_caps(unsigned long long caps)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = {
		{ .effective = caps, .permitted = caps, .inheritable = caps },
		{ .effective = caps >> 32, .permitted = caps >> 32, .inheritable = caps >> 32 },
	};

	return syscall(SYS_capset, &h, d);
}

static int as_root(void)
{
	if (geteuid())
		return SKIPPED;
	if (privileges_drop(&(struct privileges) { 0 }))
		return 1;
	return getuid() == LAUNCHER_UIDS + getpid() && getgid() == getuid() && has_nothing_left() ?
		       0 : 2;
}

static void own_user(void **state)
{
	(void)state;
	expect_child(as_root, 0);
}

static int as_given(void)
{
	struct privileges p = { 0 };

	if (geteuid())
		return SKIPPED;
	if (privileges_parse(&p, "4711:4712") || privileges_drop(&p))
		return 1;
	return getuid() == 4711 && getgid() == 4712 && has_nothing_left() ? 0 : 2;
}

static void given_user(void **state)
{
	(void)state;
	expect_child(as_given, 0);
}

/* As in a container that keeps its root but takes CAP_SETUID and CAP_SETGID from it. */
static int without_setuid(void)
{
	if (geteuid() ||
	    set_caps(status_line("CapPrm") & ~(1ULL << CAP_SETUID | 1ULL << CAP_SETGID)))
		return SKIPPED;
	quiet_begin();
	if (privileges_drop(&(struct privileges) { 0 }))
		return 1;
	return strstr(quiet_end(), "keeping user 0") && has_nothing_left() ? 0 : 2;
}

static void capabilities_go_whatever_setuid_says(void **state)
{
	(void)state;
	expect_child(without_setuid, 0);
}

/* There is only one user here. */
static int alone_in_a_namespace(void)
{
	static const char map[] = "0 0 1";
	int fd;

	if (geteuid() || unshare(CLONE_NEWUSER))
		return SKIPPED;
	fd = open("/proc/self/uid_map", O_WRONLY);
	if (fd < 0 || write(fd, map, strlen(map)) < 0)
		return SKIPPED;
	quiet_begin();
	if (privileges_drop(&(struct privileges) { 0 }))
		return 1;
	quiet_end();
	return has_nothing_left() ? 0 : 2;
}

static void no_other_user_exists(void **state)
{
	(void)state;
	expect_child(alone_in_a_namespace, 0);
}

/* Then it is an error to keep root. */
static int given_but_impossible(void)
{
	struct privileges p = { .given = true, .uid = 4711, .gid = 4711 };

	if (geteuid() ||
	    set_caps(status_line("CapPrm") & ~(1ULL << CAP_SETUID | 1ULL << CAP_SETGID)))
		return SKIPPED;
	quiet_begin();
	return privileges_drop(&p) == -EPERM ? 0 : 2;
}

static void a_given_user_or_failure(void **state)
{
	(void)state;
	expect_child(given_but_impossible, 0);
}

static enum sandbox_role role;
static int console = -1;

static void enter(void)
{
	quiet_begin();		/* the message about a forbidden call */
	sandbox_init(true, console);
	sandbox_enter(role);
}

static int in_sandbox(int (*fn)(void))
{
	if (!can_sandbox())
		skip();
	return in_child(fn);
}

static int signals_its_parent(void)
{
	pid_t parent = getppid();

	enter();
	syscall(SYS_tgkill, parent, parent, 0);
	return 0;
}

static int signals_itself(void)
{
	enter();
	return syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), 0) ? 2 : 0;
}

static void signals_only_itself(void **state)
{
	(void)state;
	role = SANDBOX_MAIN;
	assert_int_equal(in_sandbox(signals_itself), 0);
	for (role = SANDBOX_MAIN; role <= SANDBOX_DISK_SLOW; role++)
		assert_int_equal(in_sandbox(signals_its_parent), END_ERROR);
}

/* The system call, with arguments 0 unless they decide. */
static long forbidden_call;
static long call_args[3];

static int calls(void)
{
	enter();
	syscall(forbidden_call, call_args[0], call_args[1], call_args[2], 0, 0, 0);
	return 0;
}

static void expect_forbidden(enum sandbox_role r, long nr, long a, long b, long c)
{
	role = r;
	forbidden_call = nr;
	call_args[0] = a;
	call_args[1] = b;
	call_args[2] = c;
	if (in_sandbox(calls) != END_ERROR)
		fail_msg("role %d may call %ld", r, nr);
}

static void expect_allowed(enum sandbox_role r, long nr, long a, long b, long c)
{
	role = r;
	forbidden_call = nr;
	call_args[0] = a;
	call_args[1] = b;
	call_args[2] = c;
	assert_int_equal(in_sandbox(calls), 0);
}

static void forbidden_to_all(void **state)
{
	static const long nr[] = {
		SYS_openat, SYS_socket, SYS_execve, SYS_clone, SYS_fork, SYS_ptrace, SYS_kill,
		SYS_io_uring_setup, SYS_process_vm_writev, SYS_dup2, SYS_ftruncate, SYS_sched_yield,
		SYS_prctl,
	};

	(void)state;
	for (enum sandbox_role r = SANDBOX_MAIN; r <= SANDBOX_DISK_SLOW; r++) {
		for (size_t i = 0; i < sizeof(nr) / sizeof(nr[0]); i++)
			expect_forbidden(r, nr[i], -1, 0, 0);
		expect_forbidden(r, SYS_mmap, 0, 4096, PROT_EXEC);
		expect_forbidden(r, SYS_mprotect, 0, 0, PROT_EXEC);
		expect_forbidden(r, SYS_ioctl, -1, KVM_CREATE_VM, 0);
		expect_forbidden(r, SYS_ioctl, -1, KVM_SET_CPUID2, 0);
		expect_forbidden(r, SYS_ioctl, 0, TIOCSTI, 0);
	}
}

/* A processor lets the file of the console start over, and truncates nothing else. */
static void truncates_the_console_only(void **state)
{
	(void)state;
	console = 77;
	expect_allowed(SANDBOX_VCPU, SYS_ftruncate, 77, 0, 0);
	expect_forbidden(SANDBOX_VCPU, SYS_ftruncate, 77, 1, 0);
	expect_forbidden(SANDBOX_VCPU, SYS_ftruncate, 76, 0, 0);
	expect_forbidden(SANDBOX_DISK, SYS_ftruncate, 77, 0, 0);
	console = -1;
}

/* Each role has what it needs, and not what another one needs. */
static void roles_differ(void **state)
{
	(void)state;
	expect_allowed(SANDBOX_VCPU, SYS_ioctl, -1, KVM_RUN, 0);
	expect_forbidden(SANDBOX_MAIN, SYS_ioctl, -1, KVM_RUN, 0);
	expect_forbidden(SANDBOX_DISK, SYS_ioctl, -1, KVM_IRQFD, 0);
	expect_forbidden(SANDBOX_VCPU, SYS_io_uring_enter, -1, 0, 0);
	expect_allowed(SANDBOX_DISK, SYS_io_uring_enter, -1, 0, 0);
	expect_allowed(SANDBOX_DISK, SYS_io_uring_register, -1, IORING_UNREGISTER_FILES, 0);
	expect_forbidden(SANDBOX_DISK, SYS_io_uring_register, -1, IORING_REGISTER_FILES, 0);
	expect_forbidden(SANDBOX_VCPU, SYS_io_uring_register, -1, IORING_UNREGISTER_FILES, 0);
	expect_forbidden(SANDBOX_VCPU, SYS_fallocate, -1, 0, 0);
	expect_allowed(SANDBOX_DISK_SLOW, SYS_fallocate, -1, 0, 0);
	expect_forbidden(SANDBOX_VCPU, SYS_read, -1, 0, 0);
	expect_allowed(SANDBOX_MAIN, SYS_read, -1, 0, 0);
	expect_forbidden(SANDBOX_VCPU, SYS_close, -1, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_user), cmocka_unit_test(given_user),
		cmocka_unit_test(capabilities_go_whatever_setuid_says),
		cmocka_unit_test(no_other_user_exists), cmocka_unit_test(a_given_user_or_failure),
		cmocka_unit_test(signals_only_itself), cmocka_unit_test(forbidden_to_all),
		cmocka_unit_test(roles_differ), cmocka_unit_test(truncates_the_console_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
