// SPDX-License-Identifier: GPL-2.0-only
/*
 * Passes input from stdin to the serial port.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "input.h"

#define AWAY_MS	1000

void input_init(struct input *in, struct uart *uart, bool open)
{
	memset(in, 0, sizeof(*in));
	in->uart = uart;
	in->open = open;
	/*
	 * In the background, input belongs to another job, and a read would stop all threads. With
	 * SIGTTIN ignored it fails with EIO instead.
	 */
	signal(SIGTTIN, SIG_IGN);
}

/*
 * A terminal is always read, because of the escape key: a guest that takes no input is just what
 * one wants to quit. A pipe or file has no escapes, and can wait until the guest has taken it all.
 */
int input_fd(const struct input *in)
{
	bool wanted = !in->len || term_is_raw();

	return in->open && !in->away && wanted ? STDIN_FILENO : -1;
}

int input_wait_ms(const struct input *in)
{
	/* The guest does not announce that its FIFO has room again, so poll for that. */
	if (in->len)
		return 10;
	/* Nor does the terminal announce that it is in the foreground again. */
	return in->open && in->away ? AWAY_MS : -1;
}

/* What does not fit is dropped, as by a real terminal. */
static void append(struct input *in, const uint8_t *buf, size_t len)
{
	size_t room = sizeof(in->buf) - in->len;

	if (len > room)
		len = room;
	memcpy(in->buf + in->len, buf, len);
	in->len += len;
}

static bool read_some(struct input *in)
{
	bool quit = false;
	uint8_t buf[UART_FIFO];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

	if (n <= 0) {
		in->away = n < 0 && errno == EIO;
		in->open = in->away || (n < 0 && (errno == EAGAIN || errno == EINTR));
		return true;
	}
	append(in, buf, term_is_raw() ? term_filter(&in->escape, buf, n, &quit) : (size_t)n);
	return !quit;
}

static void feed_uart(struct input *in)
{
	size_t n = uart_input(in->uart, in->buf, in->len);

	in->len -= n;
	memmove(in->buf, in->buf + n, in->len);
}

bool input_turn(struct input *in, bool readable)
{
	bool go_on = true;

	in->away = false;
	if (readable)
		go_on = read_some(in);
	if (in->len)
		feed_uart(in);
	return go_on;
}
