// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parts of a 16550A that operating systems use: FIFOs, the interrupts "data available" and
 * "transmitter empty", and loopback for drivers that test whether it is real. Bytes are sent at
 * once, so the transmitter is always empty.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "platform.h"
#include "uart.h"
#include "vm.h"

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

#define IER_RX			0x01
#define IER_TX			0x02
#define IIR_NONE		0x01
#define IIR_TX			0x02
#define IIR_RX			0x04
#define IIR_FIFO		0xc0
#define FCR_ENABLE		0x01
#define FCR_CLEAR_RX		0x02
#define LCR_DLAB		0x80
#define MCR_LOOP		0x10
#define LSR_DATA		0x01
#define LSR_TX_EMPTY		0x60
#define MSR_CTS_DSR_DCD		0xb0

/* After this many bytes, a panic message is not taken for the cause of a reset any more. */
#define PANIC_TAIL		16384

static const char panic_text[] = "Kernel panic - not syncing";

void uart_init(struct uart *u, struct vm *vm, int out_fd)
{
	memset(u, 0, sizeof(*u));
	u->vm = vm;
	u->out_fd = out_fd;
	pthread_mutex_init(&u->lock, NULL);
	pthread_mutex_init(&u->out_lock, NULL);
}

void uart_limit(struct uart *u, uint64_t max)
{
	off_t size = lseek(u->out_fd, 0, SEEK_END);

	u->out_max = max;
	/* Another boot may have printed there. */
	u->out_bytes = size > 0 ? size : 0;
}

/*
 * A guest can print as much as it likes, but must not fill the disk of the host. The last of it is
 * what one wants to read. This fails for what has no size, which is then not limited either.
 */
static void start_over(struct uart *u)
{
	static const char text[] = "[cowchain-vm: what came before exceeded --console-max]\r\n";

	u->out_bytes = 0;
	if (!ftruncate(u->out_fd, 0) && write(u->out_fd, text, sizeof(text) - 1) > 0)
		u->out_bytes = sizeof(text) - 1;
}

/*
 * A guest without a driver for the panic device still prints the reason of a reset on the console.
 * This is a hint, not a security boundary: the guest can fake any end anyway.
 */
static void watch_for_panic(struct uart *u, uint8_t c)
{
	unsigned int age = atomic_load(&u->panic_age);

	if (age)
		atomic_store(&u->panic_age, age < PANIC_TAIL ? age + 1 : 0);
	if (c != panic_text[u->panic_matched])
		u->panic_matched = 0;
	if (c == panic_text[u->panic_matched] && !panic_text[++u->panic_matched]) {
		atomic_store(&u->panic_age, 1);
		u->panic_matched = 0;
	}
}

bool uart_saw_panic(struct uart *u)
{
	return atomic_load(&u->panic_age) != 0;
}

/*
 * Called without u->lock: a terminal that is not read must not delay input. Nothing is written
 * after the end: a string instruction can cause thousands of writes, each of which may block.
 */
static void output(struct uart *u, uint8_t c)
{
	pthread_mutex_lock(&u->out_lock);
	watch_for_panic(u, c);
	if (u->out_max && u->out_bytes >= u->out_max && !vm_ending(u->vm))
		start_over(u);
	u->out_bytes++;
	while (!vm_ending(u->vm) && write(u->out_fd, &c, 1) < 0) {
		struct pollfd p = { .fd = u->out_fd, .events = POLLOUT };

		/* Another process may have made the terminal non-blocking. */
		if (errno == EAGAIN)
			poll(&p, 1, 100);
		else if (errno != EINTR)
			break;
	}
	pthread_mutex_unlock(&u->out_lock);
}

static void update_line(struct uart *u)
{
	bool level = (u->ier & IER_RX && u->fifo_len) || (u->ier & IER_TX && u->thr_empty_irq);

	if (level != u->line)
		irq_line(&u->vm->irq, UART_IRQ, level);
	u->line = level;
}

static void push(struct uart *u, uint8_t c)
{
	u->fifo[(u->fifo_head + u->fifo_len++) % UART_FIFO] = c;
}

static uint8_t pop(struct uart *u)
{
	uint8_t c = 0;

	if (u->fifo_len) {
		c = u->fifo[u->fifo_head];
		u->fifo_head = (u->fifo_head + 1) % UART_FIFO;
		u->fifo_len--;
	}
	return c;
}

static uint8_t read_iir(struct uart *u)
{
	uint8_t id = IIR_NONE;

	if (u->ier & IER_RX && u->fifo_len) {
		id = IIR_RX;
	} else if (u->ier & IER_TX && u->thr_empty_irq) {
		id = IIR_TX;
		u->thr_empty_irq = false;	/* reading it clears it */
	}
	return id | (u->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

/* In loopback, modem outputs are connected to modem inputs: DTR, RTS, OUT1, OUT2. */
static uint8_t read_msr(const struct uart *u)
{
	if (!(u->mcr & MCR_LOOP))
		return MSR_CTS_DSR_DCD;
	return (u->mcr & 0x01) << 5 | (u->mcr & 0x02) << 3 | (u->mcr & 0x0c) << 4;
}

static uint8_t reg_read(struct uart *u, unsigned int reg)
{
	switch (reg) {
	case REG_DATA:
		return u->lcr & LCR_DLAB ? u->dll : pop(u);
	case REG_IER:
		return u->lcr & LCR_DLAB ? u->dlm : u->ier;
	case REG_IIR_FCR:
		return read_iir(u);
	case REG_LCR:
		return u->lcr;
	case REG_MCR:
		return u->mcr;
	case REG_LSR:
		return LSR_TX_EMPTY | (u->fifo_len ? LSR_DATA : 0);
	case REG_MSR:
		return read_msr(u);
	default:
		return u->scr;
	}
}

/* Returns true if `val` is to be sent. */
static bool write_data(struct uart *u, uint8_t val)
{
	if (u->lcr & LCR_DLAB) {
		u->dll = val;
		return false;
	}
	/* ISA interrupts are edges: the line goes low and high again for each byte "sent". */
	u->thr_empty_irq = false;
	update_line(u);
	u->thr_empty_irq = true;
	if (!(u->mcr & MCR_LOOP))
		return true;
	if (u->fifo_len < UART_FIFO)
		push(u, val);
	return false;
}

static bool reg_write(struct uart *u, unsigned int reg, uint8_t val)
{
	switch (reg) {
	case REG_DATA:
		return write_data(u, val);
	case REG_IER:
		if (u->lcr & LCR_DLAB) {
			u->dlm = val;
			break;
		}
		if (val & ~u->ier & IER_TX)
			u->thr_empty_irq = true;
		u->ier = val & 0x0f;
		break;
	case REG_IIR_FCR:
		if (val & FCR_CLEAR_RX)
			u->fifo_len = 0;
		u->fcr = val;
		break;
	case REG_LCR:
		u->lcr = val;
		break;
	case REG_MCR:
		u->mcr = val & 0x1f;
		break;
	case REG_SCR:
		u->scr = val;
		break;
	}
	return false;
}

static void uart_access(void *dev, uint64_t reg, void *data, unsigned int len, bool is_write)
{
	struct uart *u = dev;
	uint8_t *byte = data;
	bool send = false;

	/* Registers are one byte wide: the other bytes of a wider access read as ones. */
	(void)len;
	pthread_mutex_lock(&u->lock);
	if (is_write)
		send = reg_write(u, reg, *byte);
	else
		*byte = reg_read(u, reg);
	update_line(u);
	pthread_mutex_unlock(&u->lock);
	if (send)
		output(u, *byte);
}

size_t uart_input(struct uart *u, const uint8_t *data, size_t len)
{
	size_t n = 0;

	pthread_mutex_lock(&u->lock);
	while (n < len && u->fifo_len < UART_FIFO)
		push(u, data[n++]);
	update_line(u);
	pthread_mutex_unlock(&u->lock);
	return n;
}

void uart_attach(struct uart *u)
{
	bus_add(&u->vm->pio, UART_PORT, 8, uart_access, u);
}
