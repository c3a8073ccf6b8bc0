/* SPDX-License-Identifier: GPL-2.0-only */
/* What is typed, on its way from stdin to the serial port. The main thread's own. */
#ifndef VMM_INPUT_H
#define VMM_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "term.h"
#include "uart.h"

struct input {
	struct uart *uart;
	struct term_escape escape;
	bool open;			/* stdin may still bring something */
	bool away;			/* it is a terminal that another job has at present */
	uint8_t buf[UART_FIFO];
	size_t len;			/* read, but not yet taken by the serial port */
};

/* `open` false: nothing is ever read. Before the sandbox is entered. */
void input_init(struct input *in, struct uart *uart, bool open);

/* For poll(): what to wait for input on, or -1, and for how long at most. */
int input_fd(const struct input *in);
int input_wait_ms(const struct input *in);

/* After poll(). False: the user wants to quit. */
bool input_turn(struct input *in, bool readable);

#endif
