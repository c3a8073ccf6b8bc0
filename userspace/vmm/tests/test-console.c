// SPDX-License-Identifier: GPL-2.0-only
/* The serial port, the ways to end, the escape key, and the syntax of --disk. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console.h"
#include "fake-irq.h"
#include "options.h"
#include "platform.h"
#include "power.h"
#include "rate.h"
#include "term.h"
#include "uart.h"
#include "util.h"
#include "vcpu.h"
#include "vm.h"

static struct vm vm;
static struct uart uart;
static struct power power;
static int out[2];

static int setup(void **state)
{
	(void)state;
	memset(&vm, 0, sizeof(vm));
	irq_init(&vm.irq, -1);
	atomic_init(&vm.end, END_NONE);
	vm.end_fd = eventfd(0, EFD_NONBLOCK);
	if (pipe2(out, O_NONBLOCK))
		return -1;
	uart_init(&uart, &vm, out[1]);
	uart_attach(&uart);
	power_attach(&power, &vm, &uart);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(out[0]);
	close(out[1]);
	close(vm.end_fd);
	return 0;
}

static uint8_t inb(uint16_t port)
{
	uint8_t v;

	bus_access(&vm.pio, port, &v, 1, false);
	return v;
}

static void outb(uint16_t port, uint8_t v)
{
	bus_access(&vm.pio, port, &v, 1, true);
}

static void outw(uint16_t port, uint16_t v)
{
	bus_access(&vm.pio, port, &v, 2, true);
}

static void print(const char *s)
{
	char buf[4096];

	while (*s)
		outb(UART_PORT, *s++);
	while (read(out[0], buf, sizeof(buf)) > 0)
		;
}

static void prints(void **state)
{
	char buf[8] = { 0 };

	(void)state;
	assert_int_equal(inb(UART_PORT + 5), 0x60);
	outb(UART_PORT, 'h');
	outb(UART_PORT, 'i');
	assert_int_equal(read(out[0], buf, sizeof(buf)), 2);
	assert_string_equal(buf, "hi");
}

static void transmit_interrupts(void **state)
{
	unsigned int before;

	(void)state;
	assert_int_equal(inb(UART_PORT + 2), 0x01);
	outb(UART_PORT + 1, 2);
	assert_true(fake.line[UART_IRQ]);
	assert_int_equal(inb(UART_PORT + 2), 0x02);
	assert_false(fake.line[UART_IRQ]);
	assert_int_equal(inb(UART_PORT + 2), 0x01);
	outb(UART_PORT, 'x');
	assert_true(fake.line[UART_IRQ]);
	/* an edge for each byte */
	before = fake.line_changes;
	outb(UART_PORT, 'y');
	assert_int_equal(fake.line_changes, before + 2);
	outb(UART_PORT + 1, 0);
	assert_false(fake.line[UART_IRQ]);
}

static void receives(void **state)
{
	uint8_t many[UART_FIFO + 10];

	(void)state;
	outb(UART_PORT + 2, 1);
	outb(UART_PORT + 1, 1);
	assert_int_equal(uart_input(&uart, (const uint8_t *)"ab", 2), 2);
	assert_true(fake.line[UART_IRQ]);
	assert_int_equal(inb(UART_PORT + 2), 0xc4);
	assert_int_equal(inb(UART_PORT + 5), 0x61);
	assert_int_equal(inb(UART_PORT), 'a');
	assert_true(fake.line[UART_IRQ]);
	assert_int_equal(inb(UART_PORT), 'b');
	assert_false(fake.line[UART_IRQ]);
	assert_int_equal(inb(UART_PORT), 0);

	memset(many, 'z', sizeof(many));
	assert_int_equal(uart_input(&uart, many, sizeof(many)), UART_FIFO);
	assert_int_equal(uart_input(&uart, many, 1), 0);
	outb(UART_PORT + 2, 3);
	assert_int_equal(inb(UART_PORT + 5), 0x60);
}

static void registers(void **state)
{
	(void)state;
	outb(UART_PORT + 7, 0xa5);
	assert_int_equal(inb(UART_PORT + 7), 0xa5);
	outb(UART_PORT + 3, 0x83);
	outb(UART_PORT, 12);
	outb(UART_PORT + 1, 1);
	assert_int_equal(inb(UART_PORT), 12);
	assert_int_equal(inb(UART_PORT + 1), 1);
	outb(UART_PORT + 3, 0x03);
	assert_int_equal(inb(UART_PORT + 1), 0);
	/* as kernels test whether it is real */
	outb(UART_PORT + 4, 0x1a);
	assert_int_equal(inb(UART_PORT + 6) & 0xf0, 0x90);
	outb(UART_PORT, 'l');
	assert_int_equal(inb(UART_PORT), 'l');
	outb(UART_PORT + 4, 0x08);
	assert_int_equal(inb(UART_PORT + 6), 0xb0);
}

static void powers_off(void **state)
{
	uint16_t v;

	(void)state;
	bus_access(&vm.pio, PM1_CNT_PORT, &v, 2, false);
	assert_int_equal(v, 1);
	outw(PM1_EVT_PORT + 2, 0x100);
	outw(PM1_CNT_PORT, 5 << 10);		/* type without "now" */
	outw(PM1_CNT_PORT, 1 << 13 | 3 << 10);	/* a state that does not exist */
	assert_false(vm_ending(&vm));
	outw(PM1_CNT_PORT, 1 << 13 | 5 << 10);
	assert_int_equal(vm.end, END_POWEROFF);
}

static uint16_t inw(uint16_t port)
{
	uint16_t v;

	bus_access(&vm.pio, port, &v, 2, false);
	return v;
}

static void power_button_interrupts(void **state)
{
	(void)state;
	/* without a driver */
	assert_false(power_button(&power));
	assert_int_equal(inw(PM1_EVT_PORT), 0);
	outw(PM1_EVT_PORT + 2, 0x100);
	assert_false(fake.line[SCI_IRQ]);
	assert_true(power_button(&power));
	assert_true(fake.line[SCI_IRQ]);
	assert_int_equal(inw(PM1_EVT_PORT), 0x100);
	/* other bits clear nothing */
	outw(PM1_EVT_PORT, 0x21);
	assert_true(fake.line[SCI_IRQ]);
	outw(PM1_EVT_PORT, 0x100);
	assert_false(fake.line[SCI_IRQ]);
	assert_int_equal(inw(PM1_EVT_PORT), 0);
	/* disabled while it is pending */
	assert_true(power_button(&power));
	outw(PM1_EVT_PORT + 2, 0);
	assert_false(fake.line[SCI_IRQ]);
	assert_false(vm_ending(&vm));
}

static void reboots(void **state)
{
	(void)state;
	assert_int_equal(inb(RESET_PORT), 0);
	outb(RESET_PORT, 0xd1);
	assert_false(vm_ending(&vm));
	outb(RESET_PORT, 0xfe);
	assert_int_equal(vm.end, END_REBOOT);
	/* only the first end counts */
	outw(PM1_CNT_PORT, 1 << 13 | 5 << 10);
	assert_int_equal(vm.end, END_REBOOT);
}

static void reports_panic(void **state)
{
	(void)state;
	assert_int_equal(inb(PANIC_PORT), 1);
	outb(PANIC_PORT, 2);
	assert_false(vm_ending(&vm));
	outb(PANIC_PORT, 1);
	assert_int_equal(vm.end, END_PANIC);
}

static void panic_on_the_console(void **state)
{
	(void)state;
	print("[    1.0] KernelKernel panic - not syncing: because\r\n");
	assert_true(uart_saw_panic(&uart));
	outb(RESET_PORT, 0xfe);
	assert_int_equal(vm.end, END_PANIC);
}

static void panic_long_ago(void **state)
{
	(void)state;
	print("Kernel panic - not sync");
	assert_false(uart_saw_panic(&uart));
	print("hing\nKernel panic - not syncing");
	assert_true(uart_saw_panic(&uart));
	for (int i = 0; i < 2000; i++)
		print("something else");
	assert_false(uart_saw_panic(&uart));
	outb(RESET_PORT, 0xfe);
	assert_int_equal(vm.end, END_REBOOT);
}

static void nobody_there(void **state)
{
	uint32_t v = 0;

	(void)state;
	assert_int_equal(inb(0x80), 0xff);
	outb(0x80, 1);
	/* across the end of a device */
	bus_access(&vm.pio, UART_PORT + 6, &v, 4, false);
	assert_int_equal(v, 0xffffffff);
}

#define FAKE_FD		1000		/* of processor 0; not an open file */
#define DATA_OFFSET	4096

static bool silent;			/* they do nothing at all */
static _Atomic unsigned int runs;

static unsigned int io_count;		/* bytes printed by a fake instruction */
static _Atomic unsigned int printing;	/* processors that returned with output */

static bool console_taken(void)
{
	if (pthread_mutex_trylock(&uart.out_lock))
		return true;
	pthread_mutex_unlock(&uart.out_lock);
	return false;
}

int __real_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg);

/*
 * In place of KVM: a running processor prints something. The last one comes first, so that the
 * others find the console occupied.
 */
int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	unsigned int id = fd - FAKE_FD;
	struct kvm_run *run;

	if (request == KVM_KVMCLOCK_CTRL)
		return 0;
	if (request != KVM_RUN)
		return __real_ioctl(fd, request, arg);
	run = vm.vcpu[id].run;
	if (silent) {
		/* The first one is in a loop without exits. */
		do {
			usleep(100);
		} while (!id && !__atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST));
		if (__atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST)) {
			errno = EINTR;
			return -1;
		}
		run->exit_reason = KVM_EXIT_INTR;
		atomic_fetch_add(&runs, 1);
		return 0;
	}
	while (id != vm.ncpus - 1 && !console_taken())
		usleep(1000);
	if (__atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST)) {
		errno = EINTR;
		return -1;
	}
	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = KVM_EXIT_IO_OUT;
	run->io.size = 1;
	run->io.port = UART_PORT;
	run->io.count = io_count;
	run->io.data_offset = DATA_OFFSET;
	atomic_fetch_add(&printing, 1);
	return 0;
}

static void make_cpus(unsigned int ncpus, unsigned int count)
{
	struct vcpu *vcpu = calloc(ncpus, sizeof(*vcpu));

	vm.ncpus = ncpus;
	vm.vcpu = vcpu;
	for (unsigned int i = 0; i < ncpus; i++) {
		vcpu[i].vm = &vm;
		vcpu[i].id = i;
		vcpu[i].fd = FAKE_FD + i;
		vcpu[i].run = calloc(1, DATA_OFFSET + count);
	}
	assert_int_equal(vcpu_start_all(&vm), 0);
}

/* A full, blocking pipe without a reader. */
static void block_the_console(void)
{
	char buf[4096] = { 0 };

	while (write(out[1], buf, sizeof(buf)) > 0)
		;
	assert_int_equal(fcntl(out[1], F_SETFL, 0), 0);
}

static void start_printing(unsigned int ncpus, unsigned int count)
{
	block_the_console();
	io_count = count;
	atomic_store(&printing, 0);
	make_cpus(ncpus, count);
	while (atomic_load(&printing) < ncpus)
		usleep(1000);
	usleep(100 * 1000);	/* the console is reached shortly after */
}

/* The alarm ends a test that hangs. */
static void stop_printing(void)
{
	alarm(20);
	vm_end(&vm, END_STOPPED);
	vcpu_stop_all(&vm);
	alarm(0);
	for (unsigned int i = 0; i < vm.ncpus; i++)
		free(vm.vcpu[i].run);
	free(vm.vcpu);
}

static unsigned int waiting_cpus(void)
{
	unsigned int n;

	pthread_mutex_lock(&vm.pause_lock);
	n = vm.nwaiting;
	pthread_mutex_unlock(&vm.pause_lock);
	return n;
}

static void expect_running(void)
{
	unsigned int before = atomic_load(&runs);

	alarm(20);
	while (atomic_load(&runs) < before + 100)
		usleep(1000);
	alarm(0);
}

static void expect_paused(void)
{
	unsigned int before;

	vcpu_pause_all(&vm);
	alarm(20);
	while (waiting_cpus() < vm.ncpus)
		usleep(1000);
	alarm(0);
	before = atomic_load(&runs);
	usleep(20 * 1000);
	assert_int_equal(atomic_load(&runs), before);
}

/* Paused, continued, paused again and then ended, and also ended right after they were paused. */
static void pauses(void **state)
{
	(void)state;
	silent = true;
	make_cpus(3, 0);
	expect_running();
	for (int i = 0; i < 20; i++) {
		expect_paused();
		vcpu_resume_all(&vm);
		expect_running();
	}
	expect_paused();
	stop_printing();

	atomic_store(&vm.paused, false);
	atomic_store(&vm.end, END_NONE);
	make_cpus(3, 0);
	vcpu_pause_all(&vm);
	stop_printing();
	silent = false;
}

/* One is in write(), the others wait for it: all have to end, whichever comes first. */
static void stops_who_waits_for_the_console(void **state)
{
	(void)state;
	start_printing(4, 1);
	stop_printing();
}

/* A string instruction is many writes, each of which has to be interrupted. */
static void stops_string_output(void **state)
{
	(void)state;
	start_printing(1, 4096);
	stop_printing();
}

/* As above, with messages of the launcher: the one about the end comes last. */
static void messages_do_not_block(void **state)
{
	int err = dup(STDERR_FILENO);

	(void)state;
	assert_true(err >= 0);
	block_the_console();
	assert_true(dup2(out[1], STDERR_FILENO) >= 0);
	alarm(20);
	say("nobody will ever know");
	alarm(0);
	dup2(err, STDERR_FILENO);
	close(err);
}

static unsigned int count_lines(const char *text)
{
	unsigned int n = 0;

	while ((text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n;
}

static void limits_the_guests_messages(void **state)
{
	const char *text;

	(void)state;
	quiet_begin();
	for (int i = 0; i < 100; i++)
		say_guest("message %d", i);
	say_left_out();
	say_left_out();
	text = quiet_end();
	assert_int_equal(count_lines(text), RATE_TIMES + 1);
	assert_non_null(strstr(text, "90 more messages that the guest caused were left out"));
}

static void limits_by_time(void **state)
{
	struct rate r = { 0 };
	unsigned int refused;

	(void)state;
	for (int interval = 0; interval < 3; interval++) {
		const time_t start = 1000 + interval * RATE_SECONDS;

		for (int i = 0; i < RATE_TIMES; i++) {
			assert_true(rate_permits(&r, start + i, &refused));
			assert_int_equal(refused, interval && !i ? 5 : 0);
		}
		for (int i = 0; i < 5; i++)
			assert_false(rate_permits(&r, start + RATE_SECONDS - 1, &refused));
	}
}

#define LOG_MAX	4096

/* The file has the last of what the guest has printed, and a limited size. */
static void file_starts_over(void **state)
{
	static char got[2 * LOG_MAX], line[32];
	off_t size;
	int fd;

	(void)state;
	fd = open("console", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
	assert_true(fd >= 0);
	uart.out_fd = fd;
	uart_limit(&uart, LOG_MAX);
	for (int i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "line %d\n", i);
		print(line);
		size = lseek(fd, 0, SEEK_END);
		assert_true(size <= LOG_MAX);
	}
	assert_int_equal(pread(fd, got, sizeof(got), 0), size);
	assert_non_null(strstr(got, "exceeded --console-max]\r\n"));
	assert_string_equal(got + size - strlen(line), line);

	uart_limit(&uart, 0);
	for (int i = 0; i < 1000; i++)
		print(line);
	assert_true(lseek(fd, 0, SEEK_END) > LOG_MAX);
	close(fd);
}

static void console_file_is_no_link(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	write_file("precious", "data", 4);
	assert_int_equal(symlink("precious", "link"), 0);
	quiet_begin();
	assert_int_equal(console_open("link"), -ELOOP);
	assert_non_null(strstr(quiet_end(), "is a symbolic link"));
	quiet_begin();
	assert_int_equal(console_open("/dev/stdout"), -ELOOP);
	assert_non_null(strstr(quiet_end(), "--console stdio"));
	assert_int_equal(stat("precious", &st), 0);
	assert_int_equal(st.st_size, 4);

	fd = console_open("new");
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	close(fd);
	fd = console_open("precious");
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	close(fd);
}

static void expect_filtered(const char *in, const char *want, bool want_quit)
{
	struct term_escape e = { false };
	uint8_t buf[32];
	size_t n = 0;
	bool quit = false;

	/* one by one, as typed, and at once */
	for (const char *p = in; *p; p++) {
		buf[n] = *p;
		n += term_filter(&e, buf + n, 1, &quit);
	}
	assert_int_equal(n, strlen(want));
	assert_memory_equal(buf, want, n);
	assert_int_equal(quit, want_quit);
	memcpy(buf, in, strlen(in));
	n = term_filter(&e, buf, strlen(in), &quit);
	assert_int_equal(n, strlen(want));
	assert_memory_equal(buf, want, n);
}

static void escapes(void **state)
{
	(void)state;
	expect_filtered("plain x", "plain x", false);
	expect_filtered("a\001xb", "ab", true);
	expect_filtered("a\001\001x", "a\001x", false);
	expect_filtered("\001yx", "x", false);
}

static void expect_disk(const char *arg, const char *path, const char *serial, bool readonly)
{
	struct disk_option d;
	char *copy = strdup(arg);

	assert_int_equal(parse_disk(&d, copy), 0);
	assert_string_equal(d.path, path);
	assert_int_equal(d.readonly, readonly);
	assert_int_equal(d.werror, BLK_ENOSPC);
	assert_int_equal(d.rerror, BLK_REPORT);
	if (serial)
		assert_string_equal(d.serial, serial);
	else
		assert_null(d.serial);
	free(copy);
}

static void disks(void **state)
{
	static const char *const bad[] = {
		"", ",readonly", "x,serial=", "x,serial=123456789012345678901", "x,werror=",
		"x,werror=ignore", "x,rerror=st,readonly",
	};
	char errors[] = "a,werror=stop,rerror=enospc,readonly";
	struct disk_option d;

	(void)state;
	expect_disk("/dev/sda", "/dev/sda", NULL, false);
	expect_disk("/dev/sda,readonly", "/dev/sda", NULL, true);
	expect_disk("a,serial=S1,readonly", "a", "S1", true);
	expect_disk("a,readonly,serial=S1", "a", "S1", true);
	expect_disk("a,b.img", "a,b.img", NULL, false);
	expect_disk("a,readonly,b", "a,readonly,b", NULL, false);
	assert_int_equal(parse_disk(&d, errors), 0);
	assert_int_equal(d.werror, BLK_STOP);
	assert_int_equal(d.rerror, BLK_ENOSPC);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *copy = strdup(bad[i]);

		assert_int_not_equal(parse_disk(&d, copy), 0);
		free(copy);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(prints), T(transmit_interrupts), T(receives), T(registers), T(powers_off),
		T(power_button_interrupts), T(reboots), T(reports_panic), T(panic_on_the_console), T(panic_long_ago),
		T(nobody_there), T(stops_who_waits_for_the_console), T(stops_string_output),
		T(pauses), T(messages_do_not_block), T(limits_the_guests_messages), T(limits_by_time),
		T(file_starts_over), T(console_file_is_no_link),
		cmocka_unit_test(escapes), cmocka_unit_test(disks),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
