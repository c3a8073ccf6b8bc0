// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain-vm, the launcher: builds the machine, runs it, and reports how it ended.
 *
 * Everything is opened first, then privileges are dropped. A process for each boot of the guest
 * builds the machine, and starts the threads, each with its own system call filter. The main thread
 * of that process handles the terminal, and does what the supervisor tells.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "acpi.h"
#include "blk-limits.h"
#include "boot.h"
#include "console.h"
#include "disks.h"
#include "file.h"
#include "input.h"
#include "options.h"
#include "pci.h"
#include "power.h"
#include "privileges.h"
#include "sandbox.h"
#include "supervisor.h"
#include "term.h"
#include "uart.h"
#include "util.h"
#include "vcpu.h"
#include "virtio-pci.h"
#include "vm.h"

/* How long a disk may take to finish what the kernel has of it. */
#define STOP_MS		10000
/* How long the guest's process may take to end: that, and to flush files in the page cache. */
#define KILL_SECONDS	60

#define CMDLINE_BASE	"console=ttyS0 panic=-1"

struct machine {
	struct options opt;
	/* Opened once, for all boots: */
	int console_fd;
	struct boot_file kernel, initrd;
	struct disks disks;
	struct vm vm;				/* at first only /dev/kvm */
	/* Made at each boot: */
	struct uart uart;
	struct input input;
	struct power power;
	struct pci_bus pci;
	struct virtio_pci blk_pci[VM_MAX_DISKS];
	int control;				/* what the supervisor tells */
	pid_t supervisor;
	int pause_fd;				/* eventfd of all disks */
};

/* Everything that has a name. The processes of the guest use only this. */
static int open_all(struct machine *m)
{
	const struct options *o = &m->opt;
	int err = 0;

	m->console_fd = o->console_file ? console_open(o->console_file) : STDOUT_FILENO;
	if (m->console_fd < 0)
		return m->console_fd;
	for (unsigned int i = 0; i < o->ndisks && !err; i++) {
		const struct disk_option *d = &o->disk[i];
		struct blk_device *blk = &m->disks.blk[i];

		err = blk_open(blk, d->path, d->readonly, d->serial);
		blk->rerror = d->rerror;
		blk->werror = d->werror;
		m->disks.path[i] = d->path;
	}
	if (!err)
		err = boot_open(&m->kernel, o->kernel);
	if (!err && o->initrd)
		err = boot_open(&m->initrd, o->initrd);
	return err ? err : vm_open(&m->vm);
}

static int add_disks(struct machine *m)
{
	for (unsigned int i = 0; i < m->opt.ndisks; i++) {
		struct blk_device *blk = &m->disks.blk[i];
		int err;

		/* It may have changed before a reboot. */
		blk_update_size(blk);
		blk->pause_fd = m->pause_fd;
		err = blk_init(blk, &m->vm.mem, m->opt.ncpus);
		if (!err)
			err = virtio_pci_attach(&m->blk_pci[i], &blk->vdev, &m->pci, &m->vm.irq,
						IRQ_MSI_BASE + i * MSIX_MAX_VECTORS);
		if (err)
			return err;
		m->disks.n++;
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
	err = boot_load(&m->vm, &m->kernel, m->opt.initrd ? &m->initrd : NULL, cmdline,
			acpi_write_tables(&m->vm), &entry);
	free(cmdline);
	return err ? err : vcpu_create_all(&m->vm, entry);
}

static int build(struct machine *m)
{
	int err = vm_create(&m->vm, m->opt.memory, m->opt.ncpus);

	if (err)
		return err;
	uart_init(&m->uart, &m->vm, m->console_fd);
	if (m->opt.console_file)
		uart_limit(&m->uart, m->opt.console_max);
	uart_attach(&m->uart);
	input_init(&m->input, &m->uart, !m->opt.console_file);
	power_attach(&m->power, &m->vm, &m->uart);
	pci_init(&m->pci, &m->vm.pio, &m->vm.mmio);
	m->pause_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->pause_fd < 0)
		return say_errno(errno, "eventfd");
	err = add_disks(m);
	return err ? err : load(m);
}

static int start(struct machine *m)
{
	int err = disks_start(&m->disks);

	if (!err && !m->opt.console_file)
		term_raw();
	if (!err)
		err = vcpu_start_all(&m->vm);
	if (!err)
		sandbox_enter(SANDBOX_MAIN);
	return err;
}

/* A disk has a request that has to wait for the user. */
static void pause_guest(struct machine *m)
{
	event_clear(m->pause_fd);
	disks_report(&m->disks, m->supervisor, !atomic_load(&m->vm.paused));
	vcpu_pause_all(&m->vm);
}

static void continue_guest(struct machine *m)
{
	if (!atomic_load(&m->vm.paused))
		return;
	say("the guest continues");
	disks_retry(&m->disks);
	vcpu_resume_all(&m->vm);
}

/* A guest that is paused could not react. Perhaps there is room by now. */
static void press_button(struct machine *m)
{
	continue_guest(m);
	if (power_button(&m->power))
		return;
	say("the guest does not listen to the power button: ending it");
	vm_end(&m->vm, END_STOPPED);
}

static void obey(struct machine *m, char what)
{
	switch (what) {
	case TELL_BUTTON:
		press_button(m);
		break;
	case TELL_STOP:
		vm_end(&m->vm, END_STOPPED);
		break;
	case TELL_TIMEOUT:
		vm_end(&m->vm, END_TIMEOUT);
		break;
	case TELL_CONTINUE:
		continue_guest(m);
		break;
	case TELL_SIZES:
		disks_update_sizes(&m->disks);
		break;
	}
}

/* Without a supervisor nobody could end the guest any more. */
static void listen_to_supervisor(struct machine *m)
{
	char what;
	ssize_t n = read(m->control, &what, 1);

	if (!n)
		vm_end(&m->vm, END_STOPPED);
	else if (n > 0)
		obey(m, what);
}

/* Run until vm_end() is called. */
static void run(struct machine *m)
{
	struct pollfd p[] = {
		{ .fd = m->vm.end_fd, .events = POLLIN },
		{ .fd = m->control, .events = POLLIN },
		{ .fd = m->pause_fd, .events = POLLIN },
		{ .events = POLLIN },
	};

	while (!vm_ending(&m->vm)) {
		p[3].fd = input_fd(&m->input);
		if (poll(p, ARRAY_SIZE(p), input_wait_ms(&m->input)) < 0)
			continue;
		if (p[1].revents)
			listen_to_supervisor(m);
		if (p[2].revents)
			pause_guest(m);
		if (!input_turn(&m->input, p[3].revents))
			vm_end(&m->vm, END_STOPPED);
	}
}

/* The process of a guest, from its boot to its end. */
static int run_guest(void *arg, int control)
{
	struct machine *m = arg;
	int end;

	m->control = control;
	m->supervisor = getppid();
	if (build(m))
		return END_ERROR;
	if (start(m))
		vm_end(&m->vm, END_ERROR);
	else
		run(m);
	vcpu_stop_all(&m->vm);
	end = disks_stop(&m->disks, STOP_MS, atomic_load(&m->vm.end));
	term_restore();
	return end;
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

int main(int argc, char **argv)
{
	struct machine *m = calloc(1, sizeof(*m));
	const char *text;
	int end;

	if (!m || file_open_standard())
		return END_ERROR;
	options_parse(&m->opt, argc, argv);
	if (open_all(m) || (m->opt.sandbox && privileges_drop(&m->opt.user)))
		return END_ERROR;
	sandbox_init(m->opt.sandbox, m->opt.console_file ? m->console_fd : -1);
	m->opt.supervisor.kill = KILL_SECONDS;
	end = supervise(&m->opt.supervisor, run_guest, m);
	text = describe(end);
	if (text)
		say("%s", text);
	return end;
}
