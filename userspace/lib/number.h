/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers as users write and read them.
 */
#ifndef COWCHAIN_NUMBER_H
#define COWCHAIN_NUMBER_H

#include <stdint.h>

/* A decimal number and nothing else: no sign, no blanks. Returns 0, -EINVAL or -ERANGE. */
int parse_u64(const char *s, uint64_t *out);
/* The same with an optional binary suffix K, M, G, T, P (or KiB, ...): 64M = 67108864. */
int parse_size(const char *s, uint64_t *out);

#define HUMAN_LEN 24
/* "1.5G" and the like, as lsblk prints sizes. Returns buf. */
char *human_size(uint64_t bytes, char buf[HUMAN_LEN]);
/* "1:02:03" or "02:03". Returns buf. */
char *human_time(uint64_t seconds, char buf[HUMAN_LEN]);

#endif
