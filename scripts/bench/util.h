/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Helpers of the program that scripts/bench/exact measures with.
 */
#ifndef COWCHAIN_BENCH_UTIL_H
#define COWCHAIN_BENCH_UTIL_H

#include <stddef.h>
#include <stdint.h>

#define SECTOR		512
#define MAX_DEPTH	64

/* Both end the program: with status 1, or with 3 if the device does not support this. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void unsupported(const char *what) __attribute__((noreturn));

/* Return: zeroed memory, aligned to a page. Ends the program if there is none. */
void *xalloc(size_t bytes);

/* Parses a number that may end in K, M or G. */
uint64_t number(const char *text);

/* Return: nanoseconds of the monotonic clock. */
uint64_t now_ns(void);

/* Return: the first 8 bytes of the sector at byte offset @at. */
static inline uint64_t stamp_of(uint64_t at, char tag)
{
	return at / SECTOR << 8 | (uint8_t)tag;
}

#endif
