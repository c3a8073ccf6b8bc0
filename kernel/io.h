/* SPDX-License-Identifier: GPL-2.0-only */
/* Synchronous I/O on pages. Context: process. */
#ifndef COWCHAIN_IO_H
#define COWCHAIN_IO_H

#include <linux/blkdev.h>
#include <linux/completion.h>

#include "cowchain.h"

/* A set of bios that is waited for at once. */
struct cc_batch {
	atomic_t pending;
	blk_status_t status;
	struct completion done;
};

void cc_batch_init(struct cc_batch *batch);

/* Submit I/O as a part of @batch; @offset: bytes into pages[0]. */
void cc_batch_add(struct cowchain *cc, struct cc_batch *batch, struct block_device *bdev,
		  blk_opf_t opf, sector_t sector, struct page **pages,
		  unsigned int offset, unsigned int sectors);

/* The same for I/O to the top that is not a write: it must not wait for layers below. */
void cc_batch_add_top(struct cowchain *cc, struct cc_batch *batch, struct block_device *bdev,
		      blk_opf_t opf, sector_t sector, struct page **pages,
		      unsigned int offset, unsigned int sectors);

/* Write zeros as data. */
void cc_batch_add_zeros(struct cowchain *cc, struct cc_batch *batch, struct block_device *bdev,
			sector_t sector, u32 sectors);

/* Return: 0, or -errno of one bio that has failed. */
int cc_batch_wait(struct cc_batch *batch);

/* Do @bytes at @offset of these pages hold nothing but zeros? Context: any. */
bool cc_pages_are_zero(struct page **pages, unsigned int offset, unsigned int bytes);

/* Make @bytes at @offset of these pages zeros. Context: any. */
void cc_zero_pages(struct page **pages, unsigned int offset, unsigned int bytes);

/* Write zeros as data. Return: 0 or -errno. */
int cc_write_zero_pages(struct cowchain *cc, struct block_device *bdev, sector_t sector,
			u32 sectors);

/**
 * cc_zero_device() - write zeros, by a command if the device has one.
 * @unmap: this may free space.
 *
 * Return: 0 or -errno.
 */
int cc_zero_device(struct cowchain *cc, struct block_device *bdev, sector_t sector, u32 sectors,
		   bool unmap);

#endif /* COWCHAIN_IO_H */
