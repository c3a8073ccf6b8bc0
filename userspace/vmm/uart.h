/* SPDX-License-Identifier: GPL-2.0-only */
/* 16550A serial port: the guest's console. */
#ifndef VMM_UART_H
#define VMM_UART_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UART_FIFO 64

struct vm;

struct uart {
	struct vm *vm;
	pthread_mutex_t lock;		/* protects the registers and the FIFO */
	uint8_t ier, lcr, mcr, scr, fcr;
	uint8_t dll, dlm;
	bool thr_empty_irq;
	bool line;			/* the interrupt line's level */
	uint8_t fifo[UART_FIFO];
	unsigned int fifo_head, fifo_len;

	pthread_mutex_t out_lock;	/* protects what follows; taken by vCPUs only, may block */
	int out_fd;
	uint64_t out_max;		/* of a file; 0: no limit */
	uint64_t out_bytes;		/* in the file */
	unsigned int panic_matched;	/* characters of the panic message matched so far */
	_Atomic unsigned int panic_age;	/* bytes written since the message; 0: never seen */
};

void uart_init(struct uart *u, struct vm *vm, int out_fd);

/* When the file of the output has `max` bytes, it is truncated and starts over. 0: no limit. */
void uart_limit(struct uart *u, uint64_t max);

/* Connect it as COM1 of the guest. */
void uart_attach(struct uart *u);

/* Add input to the FIFO. Returns the number of bytes that fitted. */
size_t uart_input(struct uart *u, const uint8_t *data, size_t len);

/* Was there a kernel panic on the console recently? */
bool uart_saw_panic(struct uart *u);

#endif
