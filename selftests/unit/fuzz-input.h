/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libFuzzer target over the kernel's pure qcow2 code: the input.
 */
#ifndef COWCHAIN_FUZZ_INPUT_H
#define COWCHAIN_FUZZ_INPUT_H

#include "qcow2.h"

#define FUZZ_HEAD	4096u	/* at most so much of the header cluster; the rest is zeros */

/* The start of each input, in little endian; make-corpus-qcow2 writes the same. */
struct fuzz_input {
	u64 dev_size;
	u64 data_size;
	u64 cluster;		/* guest cluster of the first L2 entry */
	u32 tail_at;		/* where the second half of the header goes, with F_TAIL */
	__u16 name_len;
	u8 flags;
	u8 nr_l1;
	u8 nr_l2;
	u8 pad[7];
} __attribute__((packed));

#define F_TAIL		0x01
#define F_CRC		0x02	/* correct the checksums of the identity */
#define F_BACKING	0x04	/* which updates are made */
#define F_IDENT		0x08
#define F_JOB		0x10
#define F_DROP		0x20
#define F_QCOW2		0x40	/* format of the new backing file */
#define F_AGAIN		0x80	/* all updates a second time */

#endif
