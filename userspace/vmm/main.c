// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain-vm, the launcher: builds the machine, runs it, and reports how it ended.
 *
 * Everything is opened and allocated first. Then privileges are dropped, then the threads start,
 * each with its own system call filter. The main thread handles terminal, signals and timeout.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "acpi.h"
#include "blk-limits.h"
#include "blk.h"
#include "boot.h"
#include "console.h"
#include "input.h"
#include "options.h"
#include "pci.h"
#include "power.h"
#include "privileges.h"
#include "sandbox.h"
#include "term.h"
#include "uart.h"
#include "util.h"
#include "vcpu.h"
#include "virtio-pci.h"
#include "vm.h"

/* How long a disk may take to finish what the kernel has of it. */
#define STOP_MS		10000

#define CMDLINE_BASE	"console=ttyS0 panic=-1"

struct machine {
	struct options opt;
	struct vm vm;
	struct uart uart;
	struct input input;
	struct power power;
	struct pci_bus pci;
	unsigned int ndisks;			/* how many are set up */
	struct blk_device blk[VM_MAX_DISKS];
	struct virtio_pci blk_pci[VM_MAX_DISKS];
	int signal_fd;
	int timer_fd;				/* -1: no timeout */
};

static int add_disks(struct machine *m)
{
	for (unsigned int i = 0; i < m->opt.ndisks; i++) {
		const struct disk_option *d = &m->opt.disk[i];
		int err = blk_open(&m->blk[i], d->path, d->readonly, d->serial);

		if (!err)
			err = blk_init(&m->blk[i], &m->vm.mem, m->opt.ncpus);
		if (!err)
			err = virtio_pci_attach(&m->blk_pci[i], &m->blk[i].vdev, &m->pci,
						&m->vm.irq,
						IRQ_MSI_BASE + i * MSIX_MAX_VECTORS);
		if (err)
			return err;
		m->ndisks++;
	}
	return 0;
}

static int load(struct machine *m)
{
	uint64_t entry;
	char *cmdline;
	int err;

	if (asprintf(&cmdline, CMDLINE_BASE "%s%s", *m->opt.append ? " " : "", m->opt.append) < 0)
		return -ENOMEM;
	err = boot_load(&m->vm, m->opt.kernel, m->opt.initrd, cmdline, acpi_write_tables(&m->vm),
			&entry);
	free(cmdline);
	return err ? err : vcpu_create_all(&m->vm, entry);
}

/* Signals are read from a descriptor. All threads inherit the mask. */
static int set_up_events(struct machine *m)
{
	struct itimerspec when = { .it_value.tv_sec = m->opt.timeout };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	m->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->signal_fd < 0)
		return say_errno(errno, "signalfd");

	m->timer_fd = -1;
	if (!m->opt.timeout)
		return 0;
	m->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (m->timer_fd < 0 || timerfd_settime(m->timer_fd, 0, &when, NULL))
		return say_errno(errno, "timerfd");
	return 0;
}

static int build(struct machine *m)
{
	int console, err;

	console = m->opt.console_file ? console_open(m->opt.console_file) : STDOUT_FILENO;
	if (console < 0)
		return console;
	err = vm_create(&m->vm, m->opt.memory, m->opt.ncpus);
	if (err)
		return err;
	uart_init(&m->uart, &m->vm, console);
	if (m->opt.console_file)
		uart_limit(&m->uart, m->opt.console_max);
	uart_attach(&m->uart);
	input_init(&m->input, &m->uart, !m->opt.console_file);
	power_attach(&m->power, &m->vm, &m->uart);
	pci_init(&m->pci, &m->vm.pio, &m->vm.mmio);
	err = add_disks(m);
	if (!err)
		err = load(m);
	if (!err)
		err = set_up_events(m);
	return err;
}

static int start(struct machine *m)
{
	int err = 0;

	sandbox_init(m->opt.sandbox, m->opt.console_file ? m->uart.out_fd : -1);
	if (m->opt.sandbox)
		err = privileges_drop(&m->opt.user);

	for (unsigned int i = 0; i < m->ndisks && !err; i++)
		err = blk_start(&m->blk[i]);
	if (!err && !m->opt.console_file)
		term_raw();
	if (!err)
		err = vcpu_start_all(&m->vm);
	if (!err)
		sandbox_enter(SANDBOX_MAIN);
	return err;
}

/* Run until vm_end() is called. */
static void run(struct machine *m)
{
	struct pollfd p[] = {
		{ .fd = m->vm.end_fd, .events = POLLIN },
		{ .fd = m->signal_fd, .events = POLLIN },
		{ .fd = m->timer_fd, .events = POLLIN },
		{ .events = POLLIN },
	};

	while (!vm_ending(&m->vm)) {
		p[3].fd = input_fd(&m->input);
		if (poll(p, ARRAY_SIZE(p), input_wait_ms(&m->input)) < 0)
			continue;
		if (p[1].revents)
			vm_end(&m->vm, END_STOPPED);
		if (p[2].revents)
			vm_end(&m->vm, END_TIMEOUT);
		if (!input_turn(&m->input, p[3].revents))
			vm_end(&m->vm, END_STOPPED);
	}
}

static const char *describe(int end)
{
	switch (end) {
	case END_REBOOT:
		return "the guest rebooted";
	case END_PANIC:
		return "the guest's kernel panicked";
	case END_CRASH:
		return "the guest crashed";
	case END_STOPPED:
		return "the guest was stopped";
	case END_TIMEOUT:
		return "the guest was stopped: timeout";
	default:
		return NULL;
	}
}

/*
 * A disk that does not answer, such as one on an NFS server that is down, must not keep the guest
 * from ending. The kernel completes or drops what it has when the process is gone.
 */
static void stop_disks(struct machine *m)
{
	struct timespec until = in_ms(STOP_MS);

	for (unsigned int i = 0; i < m->ndisks; i++)
		blk_quit(&m->blk[i]);
	for (unsigned int i = 0; i < m->ndisks; i++)
		if (!blk_stop(&m->blk[i], &until))
			say("%s has not finished its last requests in %u seconds: not waiting for it",
			    m->opt.disk[i].path, STOP_MS / 1000);
}

int main(int argc, char **argv)
{
	struct machine *m = calloc(1, sizeof(*m));
	const char *text;
	int end = END_ERROR;

	if (!m)
		return END_ERROR;
	options_parse(&m->opt, argc, argv);
	if (build(m))
		return END_ERROR;
	if (start(m))
		vm_end(&m->vm, END_ERROR);
	else
		run(m);

	vcpu_stop_all(&m->vm);
	stop_disks(m);
	term_restore();
	say_left_out();
	end = atomic_load(&m->vm.end);
	text = describe(end);
	if (text)
		say("%s", text);
	return end;
}
