/* SPDX-License-Identifier: GPL-2.0-only */
/* Scatter lists: lengths, copies, and cutting bytes off either end. Pure. */
#ifndef VMM_IOV_H
#define VMM_IOV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* A part of an array of iovecs; does not own it. */
struct iov_list {
	struct iovec *v;
	unsigned int n;
};

uint64_t iov_bytes(const struct iov_list *l);

/* Drop up to `len` bytes from the front or the back; empty entries are removed. */
void iov_drop_front(struct iov_list *l, uint64_t len);
void iov_drop_back(struct iov_list *l, uint64_t len);

/* Copy up to `len` bytes, from `off` bytes into the list on. Returns the number of bytes copied. */
size_t iov_read(const struct iov_list *l, uint64_t off, void *to, size_t len);
size_t iov_write(const struct iov_list *l, uint64_t off, const void *from, size_t len);

/* Are all addresses and all lengths multiples of `align` (a power of two)? */
bool iov_aligned(const struct iov_list *l, size_t align);

#endif
