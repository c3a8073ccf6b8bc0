/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libFuzzer target over the kernel's pure qcow2 code.
 */
#ifndef COWCHAIN_FUZZ_QCOW2_H
#define COWCHAIN_FUZZ_QCOW2_H

#include "qcow2-ident.h"

#define FUZZ_HEAD	4096u	/* of the header cluster, at most: the rest is zeros */

/* In front of each input; make-corpus writes the same. Little endian. */
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
#define F_CRC		0x02	/* make the checksums of the identity right */
#define F_BACKING	0x04	/* which updates are made */
#define F_IDENT		0x08
#define F_JOB		0x10
#define F_DROP		0x20
#define F_QCOW2		0x40	/* format of the new backing file */
#define F_AGAIN		0x80	/* all updates a second time */

#define check(cond) \
	((cond) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #cond))

void fuzz_fail(const char *file, int line, const char *cond) __attribute__((noreturn));

/*
 * A header cluster twice: what is on disk, and the copy that an update changes. Each has its exact
 * size, so that AddressSanitizer sees all that goes beyond it. Only the ranges that were touched
 * can be anything but zeros.
 */
struct fuzz_image {
	u32 size;
	u8 *disk;
	u8 *copy;
	u64 dev_size;
	bool thorough;		/* compare everything, not just the ranges */
	u32 nr;
	struct {
		u32 offset;
		u32 len;
	} range[64];
};

void image_touch(struct fuzz_image *img, u32 offset, u32 len);
/* The copy is what is on disk. */
void image_sync(struct fuzz_image *img);
bool image_same(const struct fuzz_image *img);

/* fuzz-update.c: changes of the header, each as the kernel makes it, with a crash at each step. */
void fuzz_updates(struct fuzz_image *img, const struct fuzz_input *in, const u8 *bytes);

#endif
