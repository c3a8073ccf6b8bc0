// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target over the kernel's pure qcow2 code: what a header says, read without that code,
 * so that a mistake of the parser does not judge itself. The numbers are those of qcow2's
 * specification and of identity-format.h, which is not used on purpose.
 */
#include "bytes.h"
#include "fuzz-raw.h"

#define SLOT_BYTES	160
#define SLOTS		3

static void raw_job(const u8 *slot, struct q2_ident_job *job)
{
	u32 base = be_get(slot + 72, 4);

	job->type = be_get(slot + 68, 4);
	job->paused = be_get(slot + 64, 4) & 2;
	job->copied = be_get(slot + 64, 4) & 4;
	job->active = be_get(slot + 64, 4) & 16;
	job->keep = be_get(slot + 64, 4) & 32;
	job->verify = be_get(slot + 64, 4) & 64;
	/* no layer has a number above 255 */
	job->base = base == 0xffffffff ? -1 : base > 255 ? -2 : (int)base;
	job->on_error = be_get(slot + 76, 4);
	job->speed = be_get(slot + 80, 8);
	memcpy(job->base_uuid, slot + 88, 16);
	job->base_generation = be_get(slot + 104, 8);
	job->top_generation = be_get(slot + 148, 8);
	job->name_offset = be_get(slot + 112, 4);
	job->name_len = be_get(slot + 116, 4);
	job->name_crc = be_get(slot + 120, 4);
}

/* The slot with the right checksum and the highest number counts. */
static void raw_ident(const u8 *slots, struct q2_ident *id)
{
	const u8 *best = NULL;
	u32 i;

	for (i = 0; i < SLOTS; i++) {
		const u8 *slot = slots + i * SLOT_BYTES;

		if (be_get(slot, 4) != 0x6377696d || be_get(slot + 156, 4) != crc32c(slot, 156))
			continue;
		if (best && be_get(slot + 8, 8) <= be_get(best + 8, 8))
			continue;
		best = slot;
		id->slot = i;
	}
	if (!best)
		return;
	id->foreign = be_get(best + 4, 4) != 1;
	if (id->foreign)
		return;
	id->present = true;
	id->sequence = be_get(best + 8, 8);
	memcpy(id->uuid, best + 16, 16);
	memcpy(id->parent, best + 32, 16);
	id->generation = be_get(best + 48, 8);
	id->parent_generation = be_get(best + 56, 8);
	id->sealed = be_get(best + 64, 4) & 1;
	id->has_other = be_get(best + 64, 4) & 8;
	memcpy(id->other, best + 124, 16);
	id->other_generation = be_get(best + 140, 8);
	raw_job(best, &id->job);
}

void raw_read(const struct fuzz_image *img, struct raw_header *raw)
{
	const u8 *h = img->disk;
	u32 pos = be_get(h + 4, 4) == 2 ? 72 : be_get(h + 100, 4);
	u32 end, type, len;
	bool seen = false;

	memset(raw, 0, sizeof(*raw));
	raw->id.slot = SLOTS;
	raw->id.job.base = -1;
	raw->backing_offset = be_get(h + 8, 8);
	raw->backing_len = raw->backing_offset ? be_get(h + 16, 4) : 0;
	end = raw->backing_offset ? raw->backing_offset : img->size;
	for (; pos + 8 <= end; pos += (len + 7) / 8 * 8) {
		type = be_get(h + pos, 4);
		len = be_get(h + pos + 4, 4);
		pos += 8;
		if (!type)
			return;
		check(len <= end - pos);
		if (type == 0xe2792aca) {
			raw->format_offset = pos;
			raw->format_len = len;
		}
		if (type == 0x43774964 && !seen && len >= SLOTS * SLOT_BYTES)
			raw_ident(h + pos, &raw->id);
		seen |= type == 0x43774964;
	}
}
