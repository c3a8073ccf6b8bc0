/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the test programs share: errors, sizes, and sector contents that name their writer.
 */
#ifndef COWCHAIN_TEST_COMMON_H
#define COWCHAIN_TEST_COMMON_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECTOR		512u
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Print the reason and exit with 2: the test itself could not run. */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

void *xalloc(size_t size);
/* Aligned for direct I/O. */
void *xalloc_io(size_t size);

/* Parses "4096", "0x1000", "4k", "1M", "2G"; a leading '-' counts from @end. Dies on errors. */
uint64_t parse_size(const char *s, uint64_t end);

/* Milliseconds of a clock that is never set; for deadlines. */
uint64_t now_ms(void);

/* Errno from its name ("EIO"), 0 if unknown. */
int errno_by_name(const char *name);

uint64_t mix64(uint64_t x);

/* A small generator, so that a seed gives the same run with every libc. */
struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *r);
/* 0 <= result < @n */
uint64_t rng_below(struct rng *r, uint64_t n);

/*
 * Sector contents name their writer: (seed, sector, seq) is stored in the clear and the rest is
 * derived from it, so that a stray, torn or stale sector is found and named.
 */
void sector_fill(void *buf, uint64_t seed, uint64_t sector, uint64_t seq);
/* True if @buf is intact for @seed and @sector; then stores its sequence number. */
bool sector_decode(const void *buf, uint64_t seed, uint64_t sector, uint64_t *seq);
bool is_zero(const void *buf, size_t len);

/* Size in bytes of a block device or a file. */
uint64_t size_of_fd(int fd);

/* Whole-length I/O at an offset; 0 or an errno. */
int pread_full(int fd, void *buf, size_t len, uint64_t off);
int pwrite_full(int fd, const void *buf, size_t len, uint64_t off);

#endif
