// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parses virtio-blk requests, and writes the answers.
 */
#include <errno.h>
#include <linux/virtio_blk.h>
#include <string.h>

#include "blk-request.h"
#include "util.h"

static void answer_now(struct blk_request *rq, uint8_t answer)
{
	rq->op = BLK_ANSWER;
	rq->answer = answer;
}

/* Does [offset, offset + len) consist of whole blocks of the device? Safe against overflow. */
static bool range_ok(const struct blk_limits *lim, uint64_t offset, uint64_t len)
{
	uint64_t capacity = blk_capacity(lim);

	if ((offset | len) & (lim->block_size - 1))
		return false;
	return offset <= capacity && len <= capacity - offset;
}

/*
 * Convert a sector number of the guest to bytes; one that does not fit becomes larger than any
 * capacity.
 */
static uint64_t sector_to_bytes(uint64_t sector)
{
	return sector > UINT64_MAX >> SECTOR_BITS ? ALIGN_DOWN(UINT64_MAX, (uint64_t)SECTOR_BYTES)
						  : sector << SECTOR_BITS;
}

static void parse_rw(struct blk_request *rq, const struct blk_limits *lim, uint64_t sector,
		     const struct iov_list *data, enum blk_op op)
{
	rq->op = op;
	rq->data = *data;
	rq->len = iov_bytes(data);
	rq->offset = sector_to_bytes(sector);
	if (!rq->len || !range_ok(lim, rq->offset, rq->len) || (op == BLK_WRITE && lim->readonly))
		answer_now(rq, VIRTIO_BLK_S_IOERR);
	else if (op == BLK_READ)
		rq->written += rq->len;
}

/*
 * Check the flags before the range: section 5.2.6.2 requires UNSUPP for an unknown flag, and for
 * "unmap" in a discard.
 */
static uint8_t parse_range(const struct blk_limits *lim, enum blk_op op, struct blk_range *r,
			   const struct virtio_blk_discard_write_zeroes *seg)
{
	uint32_t known = op == BLK_WRITE_ZEROES ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0;
	uint64_t max = op == BLK_WRITE_ZEROES ? lim->max_write_zeroes : lim->max_discard;

	if (seg->flags & ~known)
		return VIRTIO_BLK_S_UNSUPP;
	r->offset = sector_to_bytes(seg->sector);
	r->len = (uint64_t)seg->num_sectors << SECTOR_BITS;
	r->unmap = seg->flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	if (r->len > max || !range_ok(lim, r->offset, r->len))
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

static void parse_ranges(struct blk_request *rq, const struct blk_limits *lim,
			 const struct iov_list *data, enum blk_op op)
{
	struct virtio_blk_discard_write_zeroes seg[BLK_MAX_RANGES];
	uint64_t bytes = iov_bytes(data);

	if (!(op == BLK_DISCARD ? lim->max_discard : lim->max_write_zeroes))
		return answer_now(rq, VIRTIO_BLK_S_UNSUPP);
	if (lim->readonly || !bytes || bytes % sizeof(*seg) || bytes > sizeof(seg))
		return answer_now(rq, VIRTIO_BLK_S_IOERR);

	/* Copy first: the guest may change its memory between check and use. */
	iov_read(data, 0, seg, bytes);
	rq->op = op;
	rq->nranges = bytes / sizeof(*seg);
	for (unsigned int i = 0; i < rq->nranges; i++) {
		uint8_t r = parse_range(lim, op, &rq->range[i], &seg[i]);

		if (r != VIRTIO_BLK_S_OK)
			return answer_now(rq, r);
	}
}

static void parse_get_id(struct blk_request *rq, const struct blk_limits *lim,
			 const struct iov_list *data)
{
	if (iov_bytes(data) < BLK_ID_BYTES)
		return answer_now(rq, VIRTIO_BLK_S_IOERR);
	iov_write(data, 0, lim->id, BLK_ID_BYTES);
	rq->written += BLK_ID_BYTES;
	answer_now(rq, VIRTIO_BLK_S_OK);
}

int blk_parse(struct blk_request *rq, const struct blk_limits *lim, struct vq_chain *c)
{
	struct virtio_blk_outhdr hdr;
	struct iovec *last;

	rq->written = 1;
	rq->nranges = 0;
	/* The layout of the buffers has no meaning (2.7.4.1): only the bytes count. */
	if (iov_read(&c->out, 0, &hdr, sizeof(hdr)) != sizeof(hdr) || !c->in.n)
		return -EPROTO;
	iov_drop_front(&c->out, sizeof(hdr));
	last = &c->in.v[c->in.n - 1];
	rq->status = (uint8_t *)last->iov_base + last->iov_len - 1;
	iov_drop_back(&c->in, 1);

	switch (hdr.type) {
	case VIRTIO_BLK_T_IN:
		parse_rw(rq, lim, hdr.sector, &c->in, BLK_READ);
		break;
	case VIRTIO_BLK_T_OUT:
		parse_rw(rq, lim, hdr.sector, &c->out, BLK_WRITE);
		break;
	case VIRTIO_BLK_T_FLUSH:
		rq->op = BLK_FLUSH;
		break;
	case VIRTIO_BLK_T_DISCARD:
		parse_ranges(rq, lim, &c->out, BLK_DISCARD);
		break;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		parse_ranges(rq, lim, &c->out, BLK_WRITE_ZEROES);
		break;
	case VIRTIO_BLK_T_GET_ID:
		parse_get_id(rq, lim, &c->in);
		break;
	default:
		answer_now(rq, VIRTIO_BLK_S_UNSUPP);
	}
	return 0;
}

uint32_t blk_answer(struct blk_request *rq, uint8_t answer)
{
	__atomic_store_n(rq->status, answer, __ATOMIC_RELAXED);
	/* After a failed read only the answer itself is valid. */
	return answer == VIRTIO_BLK_S_OK ? rq->written : 1;
}
