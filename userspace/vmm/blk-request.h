/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-blk requests (virtio 1.2, section 5.2.6): from a descriptor chain to an operation. Pure:
 * no system calls, no state besides the arguments.
 */
#ifndef VMM_BLK_REQUEST_H
#define VMM_BLK_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "iov.h"
#include "virtqueue.h"

#define BLK_MAX_RANGES	32	/* segments of one DISCARD or WRITE_ZEROES request */
#define BLK_ID_BYTES	20

/* The capabilities of a disk. In bytes unless the name says otherwise; 0: not supported. */
struct blk_limits {
	uint64_t capacity;		/* multiple of block_size; may change: blk_capacity() */
	uint32_t block_size;		/* smallest unit of I/O, for offsets and lengths */
	uint32_t memory_align;		/* alignment of buffers for O_DIRECT; 1 without it */
	uint32_t physical_block_size;
	uint32_t alignment_offset;
	uint32_t min_io;
	uint32_t opt_io;
	uint32_t discard_granularity;
	uint64_t max_discard;
	uint64_t max_write_zeroes;
	bool readonly;
	char id[BLK_ID_BYTES];		/* padded with zeros, not terminated */
};

static inline uint64_t blk_capacity(const struct blk_limits *lim)
{
	return __atomic_load_n(&lim->capacity, __ATOMIC_RELAXED);
}

enum blk_op {
	BLK_ANSWER,			/* only `answer` is to be written */
	BLK_READ,
	BLK_WRITE,
	BLK_FLUSH,
	BLK_DISCARD,
	BLK_WRITE_ZEROES,
};

struct blk_range {
	uint64_t offset;
	uint64_t len;
	bool unmap;
};

struct blk_request {
	enum blk_op op;
	uint8_t answer;			/* VIRTIO_BLK_S_* */
	uint8_t *status;		/* where the guest wants the answer */
	uint32_t written;		/* bytes written to the guest, including the answer */
	uint64_t offset;
	uint64_t len;
	struct iov_list data;
	unsigned int nranges;
	struct blk_range range[BLK_MAX_RANGES];
};

/*
 * Parse a chain. rq->data points into the chain, whose lists are consumed.
 *
 * Return: 0, or -EPROTO if there cannot even be an answer: the chain has no room for the status
 * byte or no complete header. Any other error becomes BLK_ANSWER with IOERR or UNSUPP.
 */
int blk_parse(struct blk_request *rq, const struct blk_limits *lim, struct vq_chain *chain);

/* Write the answer for the guest. Returns the length for the used ring. */
uint32_t blk_answer(struct blk_request *rq, uint8_t answer);

#endif
