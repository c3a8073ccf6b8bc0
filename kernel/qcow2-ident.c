// SPDX-License-Identifier: GPL-2.0-only
/*
 * The identity of a layer, pure code; see qcow2-ident.h.
 */
#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#endif
#include "qcow2-ident.h"

#define Q2_SECTOR	512U
#define Q2_SLOT_BYTES	((u32)sizeof(struct qcow2_ident))
#define Q2_NO_SLOT	QCOW2_IDENT_SLOTS

static_assert(sizeof(struct qcow2_ident) == 160, "three slots have to fit into a sector");

/* Bit by bit, since it is used rarely and for some hundred bytes. */
static u32 q2_crc32c(const void *data, u32 len)
{
	const u8 *p = data;
	u32 crc = ~0U, bit;

	while (len--) {
		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78U : 0);
	}
	return ~crc;
}

static u32 q2_slot_crc(const struct qcow2_ident *d)
{
	return q2_crc32c(d, Q2_SLOT_BYTES - sizeof(d->crc));
}

/* ------------------------------------------------------------------ reading */

static void q2_decode_job(const struct qcow2_ident *d, struct q2_ident_job *job)
{
	u32 base = be32_to_cpu(d->job_base);

	job->type = be32_to_cpu(d->job_type);
	job->paused = be32_to_cpu(d->flags) & QCOW2_IDENT_JOB_PAUSED;
	job->copied = be32_to_cpu(d->flags) & QCOW2_IDENT_JOB_COPIED;
	job->active = be32_to_cpu(d->flags) & QCOW2_IDENT_JOB_ACTIVE;
	job->keep = be32_to_cpu(d->flags) & QCOW2_IDENT_JOB_KEEP;
	job->verify = be32_to_cpu(d->flags) & QCOW2_IDENT_JOB_VERIFY;
	job->base = (int)base;
	if (base > 255 && base != QCOW2_IDENT_NO_BASE)
		job->base = -2;
	job->on_error = be32_to_cpu(d->job_on_error);
	job->speed = be64_to_cpu(d->job_speed);
	memcpy(job->base_uuid, d->job_base_uuid, QCOW2_UUID_BYTES);
	job->base_generation = be64_to_cpu(d->job_base_generation);
	job->top_generation = be64_to_cpu(d->job_top_generation);
	job->name_offset = be32_to_cpu(d->job_name_offset);
	job->name_len = be32_to_cpu(d->job_name_len);
	job->name_crc = be32_to_cpu(d->job_name_crc);
}

static void q2_decode_ident(const struct qcow2_ident *d, struct q2_ident *id)
{
	id->present = true;
	id->sequence = be64_to_cpu(d->sequence);
	memcpy(id->uuid, d->uuid, QCOW2_UUID_BYTES);
	id->generation = be64_to_cpu(d->generation);
	memcpy(id->parent, d->parent_uuid, QCOW2_UUID_BYTES);
	id->parent_generation = be64_to_cpu(d->parent_generation);
	id->has_other = be32_to_cpu(d->flags) & QCOW2_IDENT_OTHER;
	memcpy(id->other, d->other_uuid, QCOW2_UUID_BYTES);
	id->other_generation = be64_to_cpu(d->other_generation);
	id->sealed = be32_to_cpu(d->flags) & QCOW2_IDENT_SEALED;
	q2_decode_job(d, &id->job);
}

static const struct qcow2_ident *q2_slot(const struct q2_info *info, const void *buf, u32 slot)
{
	return (const void *)((const u8 *)buf + info->ident_offset + slot * Q2_SLOT_BYTES);
}

/* The valid slot with the highest sequence number, or NULL. */
static const struct qcow2_ident *q2_newest(const struct q2_info *info, const void *buf, u32 *slot)
{
	const struct qcow2_ident *d, *best = NULL;
	u32 i;

	if (info->ident_len < QCOW2_IDENT_BYTES)
		return NULL;
	for (i = 0; i < QCOW2_IDENT_SLOTS; i++) {
		d = q2_slot(info, buf, i);
		if (be32_to_cpu(d->magic) != QCOW2_IDENT_MAGIC ||
		    be32_to_cpu(d->crc) != q2_slot_crc(d))
			continue;
		if (best && be64_to_cpu(best->sequence) >= be64_to_cpu(d->sequence))
			continue;
		best = d;
		*slot = i;
	}
	return best;
}

void q2_ident_parse(const struct q2_info *info, const void *buf, struct q2_ident *id)
{
	const struct qcow2_ident *d;

	memset(id, 0, sizeof(*id));
	id->slot = Q2_NO_SLOT;
	id->job.base = -1;
	d = q2_newest(info, buf, &id->slot);
	if (!d)
		return;
	if (be32_to_cpu(d->version) == QCOW2_IDENT_VERSION)
		q2_decode_ident(d, id);
	else
		id->foreign = true;
}

const char *q2_ident_job_name(const struct q2_info *info, const void *buf,
			      const struct q2_ident *id)
{
	const struct q2_ident_job *job = &id->job;
	u32 size = q2_cluster_size(info);
	const u8 *name;

	if (!job->name_len || job->name_len > QCOW2_MAX_BACKING_NAME ||
	    job->name_offset > size || job->name_len > size - job->name_offset)
		return NULL;
	name = (const u8 *)buf + job->name_offset;
	if (q2_crc32c(name, job->name_len) != job->name_crc || memchr(name, 0, job->name_len))
		return NULL;
	return (const char *)name;
}

/* -------------------------------------------------------------------- links */

static bool q2_names(const u8 *uuid, u64 generation, const struct q2_ident *id)
{
	static const u8 none[QCOW2_UUID_BYTES];

	if (!id)
		return !memcmp(uuid, none, QCOW2_UUID_BYTES) &&
		       generation != QCOW2_IDENT_ANONYMOUS;
	/* Also if none was recorded: another program may have put a layer below it. */
	if (!id->present)
		return !memcmp(uuid, none, QCOW2_UUID_BYTES);
	return !memcmp(uuid, id->uuid, QCOW2_UUID_BYTES) && generation == id->generation;
}

static bool q2_is_other(const struct q2_ident *child, const struct q2_ident *parent)
{
	return child->has_other && q2_names(child->other, child->other_generation, parent);
}

bool q2_ident_is_parent(const struct q2_ident *child, const struct q2_ident *parent)
{
	return !child->present || q2_names(child->parent, child->parent_generation, parent) ||
	       q2_is_other(child, parent);
}

static bool q2_is_target(const struct q2_ident *id)
{
	return id && id->present && id->job.type == QCOW2_IDENT_JOB_TARGET;
}

bool q2_ident_is_committed(const struct q2_ident *target, const struct q2_ident *id)
{
	return q2_is_target(target) && id->present &&
	       !memcmp(target->job.base_uuid, id->uuid, QCOW2_UUID_BYTES) &&
	       id->generation >= target->job.top_generation;
}

bool q2_ident_unfinished(const struct q2_ident *id)
{
	return q2_is_target(id) && !id->job.copied;
}

static bool q2_names_given_up(const u8 *uuid, u64 generation, const struct q2_ident *target)
{
	return !memcmp(uuid, target->uuid, QCOW2_UUID_BYTES) &&
	       generation > target->job.base_generation && generation < target->generation;
}

/*
 * Is @child right on @target as it was before its commits? The last of these may not be the first,
 * which was given up: what lies directly above was made writable meanwhile, perhaps, and then names
 * the target as that one has left it.
 */
static bool q2_is_right_before(const struct q2_ident *child, const struct q2_ident *target)
{
	struct q2_ident before = *target;

	before.generation = target->job.base_generation;
	before.present = before.generation;
	return q2_ident_is_parent(child, &before) ||
	       q2_names_given_up(child->parent, child->parent_generation, target) ||
	       (child->has_other &&
		q2_names_given_up(child->other, child->other_generation, target));
}

bool q2_ident_is_link(const struct q2_ident *child, const struct q2_ident *parent, bool shadowed)
{
	if (!q2_is_target(parent))
		return q2_ident_is_parent(child, parent);
	/* Made for it as it is now: the end of the commit. */
	if (child->present && q2_ident_is_parent(child, parent))
		return true;
	if (!shadowed)
		return !child->present && parent->job.copied;
	return q2_is_right_before(child, parent);
}

static u64 q2_copy_name(u8 *uuid, const struct q2_ident *id)
{
	memset(uuid, 0, QCOW2_UUID_BYTES);
	if (!id)
		return 0;
	if (!id->present)
		return QCOW2_IDENT_ANONYMOUS;
	memcpy(uuid, id->uuid, QCOW2_UUID_BYTES);
	return id->generation;
}

void q2_ident_set_target(struct q2_ident *id, const struct q2_ident *last)
{
	/*
	 * If the last one was given up, what was right before that still is, below what this one
	 * copies. But what was made for it as that one has left it need not be: there will be more
	 * in it, if this is not the same one again.
	 */
	bool again = q2_ident_unfinished(id);
	bool same = again && !memcmp(id->job.base_uuid, last->uuid, QCOW2_UUID_BYTES);
	u64 before = again ? id->job.base_generation : id->present ? id->generation : 0;

	if (!same)
		id->generation++;
	id->sealed = true;
	memset(&id->job, 0, sizeof(id->job));
	id->job.base = -1;
	id->job.type = QCOW2_IDENT_JOB_TARGET;
	memcpy(id->job.base_uuid, last->uuid, QCOW2_UUID_BYTES);
	id->job.top_generation = last->generation;
	id->job.base_generation = before;
}

void q2_ident_set_parent(struct q2_ident *child, const struct q2_ident *parent)
{
	u8 uuid[QCOW2_UUID_BYTES];
	u64 generation = q2_copy_name(uuid, parent);

	if (!memcmp(child->parent, uuid, QCOW2_UUID_BYTES) &&
	    child->parent_generation == generation)
		return;
	child->has_other = q2_is_other(child, parent);
	if (child->has_other) {
		memcpy(child->other, child->parent, QCOW2_UUID_BYTES);
		child->other_generation = child->parent_generation;
	}
	memcpy(child->parent, uuid, QCOW2_UUID_BYTES);
	child->parent_generation = generation;
}

void q2_ident_set_other(struct q2_ident *child, const struct q2_ident *other)
{
	if (q2_names(child->parent, child->parent_generation, other))
		return;
	child->has_other = true;
	child->other_generation = q2_copy_name(child->other, other);
}

/* ------------------------------------------------------------------ writing */

static void q2_encode_job(const struct q2_ident_job *job, struct qcow2_ident *d)
{
	d->job_type = cpu_to_be32(job->type);
	d->job_base = cpu_to_be32((u32)job->base);
	d->job_on_error = cpu_to_be32(job->on_error);
	d->job_speed = cpu_to_be64(job->speed);
	memcpy(d->job_base_uuid, job->base_uuid, QCOW2_UUID_BYTES);
	d->job_base_generation = cpu_to_be64(job->base_generation);
	d->job_top_generation = cpu_to_be64(job->top_generation);
	d->job_name_offset = cpu_to_be32(job->name_offset);
	d->job_name_len = cpu_to_be32(job->name_len);
	d->job_name_crc = cpu_to_be32(job->name_crc);
}

static u32 q2_encode_flags(const struct q2_ident *id)
{
	u32 flags = 0;

	if (id->sealed)
		flags |= QCOW2_IDENT_SEALED;
	if (id->has_other)
		flags |= QCOW2_IDENT_OTHER;
	if (id->job.type && id->job.paused)
		flags |= QCOW2_IDENT_JOB_PAUSED;
	if (id->job.type && id->job.copied)
		flags |= QCOW2_IDENT_JOB_COPIED;
	if (id->job.type && id->job.active)
		flags |= QCOW2_IDENT_JOB_ACTIVE;
	if (id->job.type && id->job.keep)
		flags |= QCOW2_IDENT_JOB_KEEP;
	if (id->job.type && id->job.verify)
		flags |= QCOW2_IDENT_JOB_VERIFY;
	return flags;
}

static void q2_encode_ident(const struct q2_ident *id, struct qcow2_ident *d)
{
	memset(d, 0, sizeof(*d));
	d->magic = cpu_to_be32(QCOW2_IDENT_MAGIC);
	d->version = cpu_to_be32(QCOW2_IDENT_VERSION);
	d->sequence = cpu_to_be64(id->sequence);
	memcpy(d->uuid, id->uuid, QCOW2_UUID_BYTES);
	memcpy(d->parent_uuid, id->parent, QCOW2_UUID_BYTES);
	d->generation = cpu_to_be64(id->generation);
	d->parent_generation = cpu_to_be64(id->parent_generation);
	d->flags = cpu_to_be32(q2_encode_flags(id));
	if (id->job.type)
		q2_encode_job(&id->job, d);
	if (id->has_other) {
		memcpy(d->other_uuid, id->other, QCOW2_UUID_BYTES);
		d->other_generation = cpu_to_be64(id->other_generation);
	}
	d->crc = cpu_to_be32(q2_slot_crc(d));
}

static void q2_step(struct q2_ident_update *up, u32 offset, u32 len)
{
	up->step[up->nr].offset = offset;
	up->step[up->nr].len = len;
	up->nr++;
}

/* A slot that is not in use and lies inside one sector. */
static u32 q2_free_slot(u32 ident_offset, u32 current_slot)
{
	u32 slot, offset;

	for (slot = 0; slot < QCOW2_IDENT_SLOTS; slot++) {
		offset = ident_offset + slot * Q2_SLOT_BYTES;
		if (slot != current_slot &&
		    offset / Q2_SECTOR == (offset + Q2_SLOT_BYTES - 1) / Q2_SECTOR)
			break;
	}
	return slot;
}

static void q2_write_slot(u8 *buf, u32 ident_offset, struct q2_ident *id)
{
	id->slot = q2_free_slot(ident_offset, id->slot);
	id->sequence++;
	q2_encode_ident(id, (void *)(buf + ident_offset + id->slot * Q2_SLOT_BYTES));
}

static void q2_put_ext(u8 *buf, u32 offset, u32 type, u32 len)
{
	struct qcow2_ext_header *e = (void *)(buf + offset);

	e->type = cpu_to_be32(type);
	e->length = cpu_to_be32(len);
}

/*
 * The name of the backing file has to lie behind all extensions. So move it away: write a copy,
 * then the field with its offset.
 */
static int q2_make_way(const struct q2_info *info, u8 *buf, u32 end, struct q2_ident_update *up,
		       struct q2_error *err)
{
	struct qcow2_header *h = (void *)buf;
	u32 slot;

	if (!info->backing_offset || info->backing_offset >= end)
		return 0;
	slot = q2_find_slot(info, info->backing_len, 0, 0);
	if (!slot)
		return q2_fail(err, -ENOSPC, "no room for an identity in the header");
	memcpy(buf + slot, buf + info->backing_offset, info->backing_len);
	h->backing_file_offset = cpu_to_be64(slot);
	q2_step(up, slot, info->backing_len);
	q2_step(up, offsetof(struct qcow2_header, backing_file_offset),
		sizeof(h->backing_file_offset));
	return 0;
}

/*
 * Write the data and a new end marker behind the old one, where no parser looks; then the old
 * marker becomes the head of the extension. Its 8 bytes are aligned, so they lie inside one sector.
 */
static int q2_insert(const struct q2_info *info, u8 *buf, u32 len, struct q2_ident *id,
		     struct q2_ident_update *up, struct q2_error *err)
{
	const u32 head = sizeof(struct qcow2_ext_header);
	u32 format = info->backing_offset || info->format_offset ? 0 : head + 8;
	u32 start = info->ext_end - head;
	u32 data = start + format + head;
	u32 end = data + QCOW2_IDENT_BYTES + head;
	int r;

	if (end > len)
		return q2_fail(err, -ENOSPC, "no room for an identity in the header");
	r = q2_make_way(info, buf, end, up, err);
	if (r)
		return r;
	memset(buf + start, 0, end - start);
	if (format) {
		q2_put_ext(buf, start, QCOW2_EXT_BACKING_FORMAT, 3);
		memcpy(buf + start + head, "raw", 3);
	}
	q2_put_ext(buf, data - head, QCOW2_EXT_IDENT, QCOW2_IDENT_BYTES);
	id->slot = Q2_NO_SLOT;
	q2_write_slot(buf, data, id);
	q2_step(up, info->ext_end, end - info->ext_end);
	q2_step(up, start, head);
	return 0;
}

int q2_ident_update(const struct q2_info *info, void *buf, u32 len, struct q2_ident *id,
		    struct q2_ident_update *up, struct q2_error *err)
{
	up->nr = 0;
	if (id->foreign)
		return q2_fail(err, -EMEDIUMTYPE, "the identity was written by a later version");
	/* The new slot would have a lower number than the old one. */
	if (!~id->sequence)
		return q2_fail(err, -EMEDIUMTYPE, "the identity has the highest number");
	if (!info->ext_end || info->ext_end % 8)
		return q2_fail(err, -EMEDIUMTYPE, "header extensions have no end marker");
	id->present = true;
	if (!info->ident_offset)
		return q2_insert(info, buf, len, id, up, err);
	if (info->ident_len < QCOW2_IDENT_BYTES)
		return q2_fail(err, -EMEDIUMTYPE, "the identity in the header is too short");
	q2_write_slot(buf, info->ident_offset, id);
	q2_step(up, info->ident_offset + id->slot * Q2_SLOT_BYTES, Q2_SLOT_BYTES);
	return 0;
}

int q2_ident_place_name(const struct q2_info *info, void *buf, const char *name,
			const struct q2_ident_job *waiting, struct q2_ident_job *job,
			struct q2_error *err)
{
	u32 len = name ? strlen(name) : 0;
	u32 slot;

	job->name_offset = 0;
	job->name_len = 0;
	job->name_crc = 0;
	if (!len)
		return 0;
	if (len > QCOW2_MAX_BACKING_NAME)
		return q2_fail(err, -ENAMETOOLONG, "backing file name must have 1 to %u bytes",
			       QCOW2_MAX_BACKING_NAME);
	slot = q2_find_slot(info, len, waiting->name_offset, waiting->name_len);
	if (!slot)
		slot = q2_find_slot(info, len, 0, 0);
	if (!slot)
		return q2_fail(err, -ENOSPC, "no room for a backing file name in the header");
	memcpy((u8 *)buf + slot, name, len);
	job->name_offset = slot;
	job->name_len = len;
	job->name_crc = q2_crc32c(name, len);
	return 0;
}
