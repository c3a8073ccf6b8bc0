// SPDX-License-Identifier: GPL-2.0-only
/*
 * The header of an image: the backing file that it names, and writing it. What is to be written is
 * decided in qcow2.c and qcow2-ident.c.
 */
#include <linux/mm.h>

#include "header.h"
#include "io.h"
#include "load.h"
#include "tail.h"
#include "view.h"
#include "writer.h"

/*
 * Where the names are is taken from the header as it is now: after a write that failed, it may be
 * the new one, with the name at another place, although nobody has taken note of that.
 */
int cc_layer_backing(struct cc_layer *layer, char *name, char *format)
{
	struct q2_info now;
	struct q2_error err;
	u32 len;
	u8 *buf;
	int r;

	name[0] = '\0';
	format[0] = '\0';
	if (layer->kind == CC_RAW)
		return 0;
	buf = cc_layer_header(layer, &len);
	if (IS_ERR(buf))
		return PTR_ERR(buf);
	r = q2_parse_header(buf, len, cc_meta_bytes(layer), &now, &err);
	if (r) {
		cc_layer_err(layer, "its header is no longer valid: %s", err.text);
	} else {
		memcpy(name, buf + now.backing_offset, now.backing_len);
		name[now.backing_len] = '\0';
		if (now.format_len < 16) {
			memcpy(format, buf + now.format_offset, now.format_len);
			format[now.format_len] = '\0';
		}
	}
	kvfree(buf);
	return r;
}

/* ----------------------------------------------------------------- writing */

/* Write @page to a block of the layer; the blocks of a writable layer fit into it. */
static int cc_layer_write_block(struct cc_layer *layer, u32 block, struct page *page)
{
	unsigned int sectors = 1U << (layer->bufio_bits - SECTOR_SHIFT);
	struct cc_batch batch;

	cc_batch_init(&batch);
	cc_batch_add(layer->cc, &batch, layer->bdev, REQ_OP_WRITE | REQ_SYNC | REQ_META,
		     (sector_t)block * sectors, &page, 0, sectors);
	return cc_batch_wait(&batch);
}

/*
 * Take the rest of each block from dm-bufio, and update its buffer afterwards. The page is there
 * for this alone, so that no fill that waits for a slow layer can hold it.
 */
static int cc_layer_store_header(struct cc_layer *layer, const u8 *header, u32 offset, u32 len)
{
	u32 size = 1U << layer->bufio_bits;
	struct page *page = layer->cc->header_page;
	int r = 0;

	lockdep_assert_held(&layer->cc->ctl);
	while (len && !r) {
		u32 skip = offset & (size - 1);
		u32 n = min(len, size - skip);
		struct dm_buffer *b;
		void *p = dm_bufio_read(layer->bufio, offset >> layer->bufio_bits, &b);

		if (IS_ERR(p)) {
			r = PTR_ERR(p);
			break;
		}
		memcpy_to_page(page, 0, p, size);
		memcpy_to_page(page, skip, header + offset, n);
		r = cc_layer_write_block(layer, offset >> layer->bufio_bits, page);
		if (!r)
			memcpy(p + skip, header + offset, n);
		dm_bufio_release(b);
		offset += n;
		len -= n;
	}
	return r;
}

/* Do bits describe data on the device of the header that a sync would make durable? */
static bool cc_header_needs_sync(struct cc_layer *layer)
{
	struct cc_view *view = cc_view_current(layer->cc);

	if (layer->data)
		return false;
	return layer->streamed || (view && view->top && cc_view_active(view) == layer);
}

/*
 * A device may report an error of writing back to one flush only, and the error may concern the
 * guest's data or what a stream has copied, if these are on the same device. So where bits describe
 * such data, flush by a sync, after which nothing is synced any more if it has failed.
 *
 * Not the mode decides, but the writer: a chain that is read-only for another reason has bits that
 * wait, and writes that end and set some. If the writer fails just now, that sync says so.
 */
static int cc_layer_flush_header(struct cc_layer *layer)
{
	int r;

	if (cc_header_needs_sync(layer) && !READ_ONCE(layer->writer->failed))
		return cc_writer_sync(layer->writer);
	/* Not between the writes of a sync and its flush. */
	mutex_lock(&layer->meta_lock);
	r = blkdev_issue_flush(layer->bdev);
	mutex_unlock(&layer->meta_lock);
	return r;
}

/* Make the next read go to the device. */
static void cc_layer_forget_header(struct cc_layer *layer, u32 offset, u32 len)
{
	u32 block;

	for (block = offset >> layer->bufio_bits;
	     block <= (offset + len - 1) >> layer->bufio_bits; block++)
		dm_bufio_forget(layer->bufio, block);
}

/*
 * Write without dm-bufio, which always flushes by itself: see cc_layer_flush_header().
 *
 * After an error it is unknown what is on disk, but the buffers must not claim that it is the new
 * header: a second attempt would find nothing to change. The chain reads the twin of a job's target
 * by other buffers, which have the old header in any case. (Nobody holds one meanwhile: who reads
 * that header has cc->ctl, or is opening another target, and then no job is active.)
 */
int cc_layer_write_header(struct cc_layer *layer, const u8 *header, u32 offset, u32 len)
{
	int r = cc_layer_store_header(layer, header, offset, len);

	if (!r)
		r = cc_layer_flush_header(layer);
	if (r)
		cc_layer_forget_header(layer, offset, len);
	if (layer->twin)
		cc_layer_forget_header(layer->twin, offset, len);
	return r;
}

/* ---------------------------------------------------------------- changing */

/* Update only these fields: readers use the others without a lock. */
static void cc_info_take_names(struct q2_info *q2, const struct q2_info *fresh)
{
	q2->backing_offset = fresh->backing_offset;
	q2->backing_len = fresh->backing_len;
	q2->format_offset = fresh->format_offset;
	q2->format_len = fresh->format_len;
	q2->format_room = fresh->format_room;
	q2->ident_offset = fresh->ident_offset;
	q2->ident_len = fresh->ident_len;
	q2->ext_end = fresh->ext_end;
}

void cc_layer_take_names(struct cc_layer *layer, const struct q2_info *fresh)
{
	cc_info_take_names(&layer->q2, fresh);
	if (layer->twin)
		cc_info_take_names(&layer->twin->q2, fresh);
}

u8 *cc_layer_header_again(struct cc_layer *layer, u32 *len)
{
	struct q2_info fresh;
	struct q2_error err;
	u8 *buf = cc_layer_header(layer, len);
	int r;

	if (IS_ERR(buf))
		return buf;
	r = q2_parse_header(buf, *len, layer->dev_bytes, &fresh, &err);
	if (r) {
		cc_layer_err(layer, "its header is no longer valid: %s", err.text);
		kvfree(buf);
		return ERR_PTR(r);
	}
	cc_layer_take_names(layer, &fresh);
	return buf;
}

/* Change a copy of the header. Return: a buffer that the caller frees, or ERR_PTR. */
static u8 *cc_layer_new_header(struct cc_layer *layer, const char *name, const char *format,
			       struct q2_header_update *up, struct q2_info *fresh)
{
	struct q2_error err;
	u32 len;
	u8 *buf = cc_layer_header_again(layer, &len);
	int r;

	if (IS_ERR(buf))
		return buf;
	r = q2_set_backing(&layer->q2, buf, name, format, up, &err);
	if (!r)
		r = q2_parse_header(buf, len, layer->dev_bytes, fresh, &err);
	if (r) {
		cc_layer_err(layer, "cannot change the backing file: %s", err.text);
		kvfree(buf);
		return ERR_PTR(r);
	}
	return buf;
}

int cc_layer_check_backing(struct cc_layer *layer, const char *name, const char *format)
{
	struct q2_header_update up;
	struct q2_info fresh;
	u8 *buf = cc_layer_new_header(layer, name, format, &up, &fresh);

	if (IS_ERR(buf))
		return PTR_ERR(buf);
	kvfree(buf);
	return 0;
}

/*
 * After a crash before the write of the first sector is durable, the header still names the old
 * file: the slot of the new name lies in no sector that is in use yet. A block of up to 4 KiB is
 * written, but only its first 512 bytes differ from what is on disk by then.
 */
int cc_layer_set_backing(struct cc_layer *layer, const char *name, const char *format)
{
	struct q2_header_update up;
	struct q2_info fresh;
	u8 *buf = cc_layer_new_header(layer, name, format, &up, &fresh);
	int r = 0;

	if (IS_ERR(buf))
		return PTR_ERR(buf);
	if (up.slot_len)
		r = cc_layer_write_header(layer, buf, up.slot_offset, up.slot_len);
	if (!r)
		r = cc_layer_write_header(layer, buf, 0, 512);
	if (r)
		cc_layer_err(layer, "cannot write the header: error %d", r);
	else
		cc_layer_take_names(layer, &fresh);
	kvfree(buf);
	return r;
}
