/* SPDX-License-Identifier: GPL-2.0-only */
/* The last bytes of a file that its block device does not show. */
#ifndef COWCHAIN_TAIL_H
#define COWCHAIN_TAIL_H

#include <linux/blkdev.h>
#include <linux/list.h>

struct cowchain;
struct cc_layer;
struct dm_arg_set;

/**
 * struct cc_tail - what lies behind the last whole sector of a file.
 * @len: bytes, 1 to 511.
 * @bytes: zeros behind @len.
 *
 * A loop device has whole sectors only, but a file may have any length: a qcow2 image that has just
 * been made ends with its L1 table of 16 bytes. A layer that is only read must work without a byte
 * of it being changed, so the table line has what the device lacks.
 */
struct cc_tail {
	unsigned int len;
	u8 bytes[SECTOR_SIZE];
};

/**
 * cc_tail_read() - copy from a tail.
 * @tail: NULL if there is none.
 * @offset: bytes from the end of the device on.
 *
 * What lies behind the end of the file reads as zeros, as for QEMU. Context: any.
 */
void cc_tail_read(const struct cc_tail *tail, u64 offset, void *buf, size_t len);

/* Bytes of the file with the metadata, and of the one with the data. Context: any. */
u64 cc_meta_bytes(const struct cc_layer *layer);
u64 cc_data_bytes(const struct cc_layer *layer);

/**
 * cc_tail_parse() - parse the two values of a feature tail or data_tail.
 * @tails: list to which it is added.
 * @data: it belongs to the data device.
 *
 * Context: process. Return: 0, -EINVAL or -ENOMEM; the reason is logged.
 */
int cc_tail_parse(struct cowchain *cc, struct dm_arg_set *as, struct list_head *tails, bool data);

/**
 * cc_tail_assign() - give the tails of layer @i from @tails to @layer.
 *
 * Context: process. Return: 0, or -EINVAL if it cannot have one; the reason is logged.
 */
int cc_tail_assign(struct cc_layer *layer, unsigned int i, struct list_head *tails);

/* Free what no layer has taken. Context: process. */
void cc_tail_free_list(struct list_head *tails);

/* Words of the tails of @layers in the table line. Context: any. */
unsigned int cc_tail_words(struct cc_layer **layers, unsigned int nr);

/* Print them there, and for IMA those of layer @i. Context: any. */
unsigned int cc_tail_print(struct cc_layer **layers, unsigned int nr, char *result,
			   unsigned int maxlen);
unsigned int cc_tail_ima(const struct cc_layer *layer, unsigned int i, char *result,
			 unsigned int maxlen);

#endif /* COWCHAIN_TAIL_H */
