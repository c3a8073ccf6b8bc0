/* SPDX-License-Identifier: GPL-2.0-only */
/* Input, from stdin to the serial port. Used by the main thread only. */
#ifndef VMM_INPUT_H
#define VMM_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "term.h"
#include "uart.h"

/* What can be typed or pasted ahead. */
#define INPUT_BYTES	65536

struct input {
	struct uart *uart;
	struct term_escape escape;
	bool open;			/* stdin may still have input */
	bool away;			/* another job has the terminal at present */
	uint8_t buf[INPUT_BYTES];
	size_t len;			/* bytes read that the serial port has not taken yet */
};

/* If `open` is false, nothing is ever read. To be called before the sandbox is entered. */
void input_init(struct input *in, struct uart *uart, bool open);

/* For poll(): the descriptor to wait for, or -1, and the longest time to wait. */
int input_fd(const struct input *in);
int input_wait_ms(const struct input *in);

/* To be called after poll(). Returns false if the user wants to quit. */
bool input_turn(struct input *in, bool readable);

#endif
