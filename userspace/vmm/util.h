/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Helpers for all files of the launcher.
 *
 * The launcher is for x86-64 only, so host, guest and virtio 1.x are all little endian and no field
 * is byte swapped.
 */
#ifndef VMM_UTIL_H
#define VMM_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

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

/* Print a line on stderr, after the name of the program. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * The same for what a guest can cause as often as it likes: with a limit, and a count of the lines
 * that were left out.
 */
void say_guest(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Have one limit for this process and those that it forks. Only one of them at a time may call
 * say_guest(): the lock is not shared, because who dies may hold it. Returns 0, or -errno after a
 * message.
 */
int say_share_limit(void);

/* At the end: how many lines were left out since the last one. */
void say_left_out(void);

/* The same as say(), followed by strerror(err). Returns -err, for `return say_errno(...)`. */
int say_errno(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The time on CLOCK_MONOTONIC in `ms` milliseconds. */
struct timespec in_ms(unsigned int ms);

/* Eventfds that are non-blocking. Failures need no handling. */
void event_signal(int fd);
void event_clear(int fd);

#endif
