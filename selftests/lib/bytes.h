/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Big-endian numbers and the checksum CRC32C, for all programs that read or write qcow2 metadata.
 * Not shared with the kernel's code on purpose: a mistake there must not cancel itself out.
 */
#ifndef COWCHAIN_TEST_BYTES_H
#define COWCHAIN_TEST_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* The number in @bytes (1 to 8) bytes at @p, of any alignment. */
uint64_t be_get(const void *p, unsigned int bytes);
/* Stores the low @bytes bytes of @v. */
void be_put(void *p, unsigned int bytes, uint64_t v);

/* As a qcow2 identity has it: initial value and result inverted. */
uint32_t crc32c(const void *data, size_t len);

#endif
