// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target over the kernel's pure qcow2 code: changes of the header.
 *
 * The steps of an update are written to the disk one by one. After each of them the header has to
 * be accepted, with the same values for all that is not updated. In the end the disk has to be
 * equal to the copy, so the steps cover all changes. What a header says is read without the parser,
 * and the parser has to say the same.
 */
#include "fuzz-raw.h"
#include "fuzz-update.h"

/* The names and the identity in a header. */
struct said {
	struct q2_info info;
	char name[QCOW2_MAX_BACKING_NAME + 1];
	char format[QCOW2_MAX_BACKING_NAME + 1];
	struct q2_ident id;
};

static void same_ident(const struct q2_ident *a, const struct q2_ident *b)
{
	check(!memcmp(a, b, sizeof(*a)));
}

/* Names are compared as bytes, because they may contain zeros. */
static void take_said(const struct fuzz_image *img, struct said *s)
{
	const struct q2_info *i = &s->info;
	struct raw_header raw;
	struct q2_error err;
	struct q2_ident id;

	memset(s, 0, sizeof(*s));
	raw_read(img, &raw);
	memcpy(s->name, img->disk + raw.backing_offset, raw.backing_len);
	memcpy(s->format, img->disk + raw.format_offset,
	       min_t(u32, raw.format_len, QCOW2_MAX_BACKING_NAME));
	s->id = raw.id;

	check(!q2_parse_header(img->disk, img->size, img->dev_size, &s->info, &err));
	check(i->backing_offset == raw.backing_offset && i->backing_len == raw.backing_len);
	check(i->format_offset == raw.format_offset && i->format_len == raw.format_len);
	q2_ident_parse(i, img->disk, &id);
	same_ident(&id, &s->id);
}

/* Everything is equal except for the places of names, format and identity. */
static void check_rest(const struct q2_info *a, const struct q2_info *b)
{
	struct q2_info x = *a;

	x.backing_offset = b->backing_offset;
	x.backing_len = b->backing_len;
	x.format_offset = b->format_offset;
	x.format_len = b->format_len;
	x.format_room = b->format_room;
	x.ident_offset = b->ident_offset;
	x.ident_len = b->ident_len;
	x.ext_end = b->ext_end;
	check(!memcmp(&x, b, sizeof(x)));
}

static void same_backing(const struct said *a, const struct said *b)
{
	check(a->info.backing_len == b->info.backing_len);
	check(!memcmp(a->name, b->name, sizeof(a->name)));
}

/* Drops values that have no meaning, and therefore are not written. */
static void drop_idle(struct q2_ident *id)
{
	if (!id->job.type)
		memset(&id->job, 0, sizeof(id->job));
	if (id->has_other)
		return;
	memset(id->other, 0, sizeof(id->other));
	id->other_generation = 0;
}

/* ---------------------------------------------------------------- the backing file */

static void set_backing(struct fuzz_image *img, const char *name, const char *format)
{
	struct q2_header_update up = { 0 };
	struct said old, now;
	struct q2_error err = { "" };
	int r;

	take_said(img, &old);
	image_sync(img);
	r = q2_set_backing(&old.info, img->copy, name, format, &up, &err);
	if (r) {
		check((r == -ENAMETOOLONG || r == -EMEDIUMTYPE || r == -ENOSPC) && err.text[0]);
		check(image_same(img));
		return;
	}
	check(!up.slot_len || up.slot_offset >= 512);
	image_touch(img, up.slot_offset, up.slot_len);
	memcpy(img->disk + up.slot_offset, img->copy + up.slot_offset, up.slot_len);
	take_said(img, &now);
	check_rest(&old.info, &now.info);
	check(now.info.backing_offset == old.info.backing_offset);
	same_backing(&old, &now);
	same_ident(&old.id, &now.id);

	image_touch(img, 0, 512);
	memcpy(img->disk, img->copy, 512);
	check(image_same(img));
	take_said(img, &now);
	check_rest(&old.info, &now.info);
	same_ident(&old.id, &now.id);
	check(now.info.backing_len == (name ? strlen(name) : 0));
	if (!name)
		return;
	check(!strcmp(now.name, name));
	check(now.info.format_len == strlen(format) && !strcmp(now.format, format));
}

/* -------------------------------------------------------------------- the identity */

static void new_ident(struct q2_ident *id, const u8 *bytes)
{
	memcpy(id->uuid, bytes, QCOW2_UUID_BYTES);
	memcpy(id->parent, bytes + 8, QCOW2_UUID_BYTES);
	id->generation++;
	id->sealed = bytes[0] & 1;
	id->has_other = bytes[1] & 1;
	memcpy(id->other, bytes + 3, QCOW2_UUID_BYTES);
}

/* Writes the steps, with a crash after each; only the last one makes the new identity valid. */
static void apply_ident(struct fuzz_image *img, const struct said *old,
			const struct q2_ident_update *up)
{
	struct said now;
	u32 i;

	check(up->nr && up->nr <= Q2_IDENT_STEPS);
	for (i = 0; i < up->nr; i++) {
		u32 offset = up->step[i].offset, len = up->step[i].len;

		image_touch(img, offset, len);
		memcpy(img->disk + offset, img->copy + offset, len);
		take_said(img, &now);
		check_rest(&old->info, &now.info);
		same_backing(old, &now);
		if (i + 1 < up->nr)
			same_ident(&old->id, &now.id);
		else
			check(len && offset / 512 == (offset + len - 1) / 512);
	}
	check(image_same(img));
}

static bool update_ident(struct fuzz_image *img, const struct q2_ident *want)
{
	struct q2_ident_update up = { 0 };
	struct q2_ident id = *want;
	struct q2_error err = { "" };
	struct said old, now;
	int r;

	take_said(img, &old);
	image_sync(img);
	r = q2_ident_update(&old.info, img->copy, img->size, &id, &up, &err);
	if (r) {
		check((r == -EMEDIUMTYPE || r == -ENOSPC) && err.text[0]);
		check(image_same(img));
		return false;
	}
	apply_ident(img, &old, &up);
	take_said(img, &now);
	check(now.id.present && !now.id.foreign);
	/* The slot that was valid before is not overwritten: it survives a torn write. */
	check(!old.id.present || now.id.slot != old.id.slot);
	drop_idle(&now.id);
	drop_idle(&id);
	same_ident(&now.id, &id);
	return true;
}

/* Records a job as identity.c does: its backing file name first, then the identity. */
static void record_job(struct fuzz_image *img, const struct fuzz_input *in, const char *name)
{
	struct q2_error err = { "" };
	const char *read;
	struct said old, now;
	struct q2_ident id;
	int r;

	take_said(img, &old);
	id = old.id;
	if (!id.present)
		return;
	id.job.type = QCOW2_IDENT_JOB_STREAM;
	id.job.base = in->name_len % 256;
	id.job.speed = in->data_size;
	image_sync(img);
	r = q2_ident_place_name(&old.info, img->copy, name, &old.id.job, &id.job, &err);
	if (r) {
		check((r == -ENAMETOOLONG || r == -ENOSPC) && err.text[0] && image_same(img));
		return;
	}
	image_touch(img, id.job.name_offset, id.job.name_len);
	memcpy(img->disk + id.job.name_offset, img->copy + id.job.name_offset, id.job.name_len);
	check(image_same(img));
	take_said(img, &now);
	check(!memcmp(&now.info, &old.info, sizeof(now.info)));
	same_backing(&old, &now);
	same_ident(&old.id, &now.id);
	if (!update_ident(img, &id))
		return;
	take_said(img, &now);
	read = q2_ident_job_name(&now.info, img->disk, &now.id);
	check(!name[0] == !read);
	check(!read || (now.id.job.name_len == strlen(name) && !strncmp(read, name, strlen(name))));
}

/* A job name that is returned lies in the cluster, whatever is in the header. */
static void check_job_name(const struct fuzz_image *img)
{
	const char *name;
	struct said s;

	take_said(img, &s);
	name = q2_ident_job_name(&s.info, img->disk, &s.id);
	if (!name)
		return;
	check(name >= (char *)img->disk && s.id.job.name_len <= QCOW2_MAX_BACKING_NAME);
	check(name + s.id.job.name_len <= (char *)img->disk + img->size);
	check(strnlen(name, s.id.job.name_len) == s.id.job.name_len);
}

void fuzz_updates(struct fuzz_image *img, const struct fuzz_input *in, const u8 *bytes)
{
	static char name[1200];
	u32 round, len = in->name_len % 1100;
	struct said s;

	memset(name, 'a' + len % 26, len);
	name[len] = '\0';
	check_job_name(img);
	for (round = 0; round <= !!(in->flags & F_AGAIN); round++) {
		if (in->flags & F_BACKING)
			set_backing(img, name, in->flags & F_QCOW2 ? "qcow2" : "raw");
		if (in->flags & F_IDENT) {
			take_said(img, &s);
			new_ident(&s.id, bytes);
			update_ident(img, &s.id);
		}
		if (in->flags & F_JOB)
			record_job(img, in, name);
		if (in->flags & F_DROP)
			set_backing(img, NULL, NULL);
	}
}
