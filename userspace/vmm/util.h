/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Small helpers that every file of the launcher may use.
 *
 * The launcher is x86-64 only, so host, guest and virtio 1.x agree on little endian and no field is
 * ever byte swapped.
 */
#ifndef VMM_UTIL_H
#define VMM_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "macros.h"

#define ALIGN_UP(x, a)		(((x) + (a) - 1) & ~((a) - 1))
#define ALIGN_DOWN(x, a)	((x) & ~((a) - 1))
#define container_of(p, type, member) \
	((type *)((char *)(p) - offsetof(type, member)))

#define PAGE_BYTES		4096UL
#define SECTOR_BYTES		512U
#define SECTOR_BITS		9

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline bool is_power_of_two(uint64_t x)
{
	return x && !(x & (x - 1));
}

/* One line on stderr, prefixed with the program's name. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same, followed by strerror(err); returns -err so that callers can `return say_errno(...)`. */
int say_errno(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Eventfds: non-blocking and close-on-exec; both never fail in a way a caller could act on. */
void event_signal(int fd);
void event_clear(int fd);

#endif
