/* SPDX-License-Identifier: GPL-2.0-only */
/* What qcow2.c uses of the kernel, for builds in userspace. */
#ifndef COWCHAIN_QCOW2_USER_H
#define COWCHAIN_QCOW2_USER_H

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/types.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

#define be32_to_cpu(x)	be32toh(x)
#define be64_to_cpu(x)	be64toh(x)
#define cpu_to_be32(x)	htobe32(x)
#define cpu_to_be64(x)	htobe64(x)

#define min_t(type, a, b) ((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define sort(base, n, size, cmp, swp) qsort(base, n, size, cmp)

#endif /* COWCHAIN_QCOW2_USER_H */
