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
	pthread_mutex_t lock;		/* of the registers, and of the FIFO */
	uint8_t ier, lcr, mcr, scr, fcr;
	uint8_t dll, dlm;
	bool thr_empty_irq;
	bool line;			/* the interrupt line's level */
	uint8_t fifo[UART_FIFO];
	unsigned int fifo_head, fifo_len;

	pthread_mutex_t out_lock;	/* of what follows; only vCPUs take it, and may block */
	int out_fd;
	unsigned int panic_matched;	/* characters of the panic message seen so far */
	_Atomic unsigned int panic_age;	/* bytes written since it was whole; 0: never seen */
};

void uart_init(struct uart *u, struct vm *vm, int out_fd);

/* Makes the guest find it at COM1. */
void uart_attach(struct uart *u);

/* Puts input where the guest finds it; returns how much fitted. */
size_t uart_input(struct uart *u, const uint8_t *data, size_t len);

/* Did the kernel announce its panic on the console not long ago? */
bool uart_saw_panic(struct uart *u);

#endif
