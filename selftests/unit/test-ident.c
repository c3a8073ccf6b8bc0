// SPDX-License-Identifier: GPL-2.0-only
/*
 * The identity in the header: whatever a crash leaves is the old one or the new one, and the
 * backing file's name stays what it was.
 */
#include "bytes.h"
#include "test.h"
#include "qcow2-ident.h"

static char disk[CLUSTER];	/* what is durable */
static char copy[CLUSTER];
static struct q2_ident_update up;

/* What is on disk; complains in the test if the header is not sound. */
static bool look(struct q2_ident *id, struct q2_info *info)
{
	memset(id, 0, sizeof(*id));
	if (parse(disk, info))
		return false;
	q2_ident_parse(info, disk, id);
	return true;
}

static bool same(const struct q2_ident *a, const struct q2_ident *b)
{
	if (!a->present || !b->present)
		return a->present == b->present;
	return !memcmp(a->uuid, b->uuid, sizeof(a->uuid)) && a->generation == b->generation &&
	       !memcmp(a->parent, b->parent, sizeof(a->parent)) &&
	       a->parent_generation == b->parent_generation && a->sealed == b->sealed &&
	       a->has_other == b->has_other &&
	       (!a->has_other || (a->other_generation == b->other_generation &&
				  !memcmp(a->other, b->other, sizeof(a->other)))) &&
	       a->sequence == b->sequence &&
	       (!a->job.type || !memcmp(&a->job, &b->job, sizeof(a->job)));
}

/* Are name and extensions as they were in @was? */
static bool names_as(const struct q2_info *now, const struct q2_info *was, const char *name)
{
	return now->backing_len == was->backing_len &&
	       !memcmp(disk + now->backing_offset, name, now->backing_len) &&
	       (!was->format_len || now->format_len == was->format_len);
}

/*
 * One step reaches the disk sector by sector, in either order: after each one the identity is the
 * old one or, in the last step, the new one.
 */
static bool play_step(unsigned int n, bool backwards, const struct q2_ident *old,
		      const struct q2_ident *now, const struct q2_info *was, const char *name)
{
	u32 from = up.step[n].offset, to = from + up.step[n].len;
	u32 first = from / 512, last = (to - 1) / 512, i;
	struct q2_ident seen = { .present = false };
	struct q2_info info;

	for (i = first; i <= last; i++) {
		u32 s = backwards ? last - (i - first) : i;
		u32 a = s * 512 > from ? s * 512 : from;
		u32 b = (s + 1) * 512 < to ? (s + 1) * 512 : to;

		memcpy(disk + a, copy + a, b - a);
		if (!look(&seen, &info) || !names_as(&info, was, name))
			return false;
		if (!same(&seen, old) && (n + 1 < up.nr || !same(&seen, now)))
			return false;
	}
	return n + 1 < up.nr || (first == last && same(&seen, now));
}

/* Brings @id to the disk; false if anything in between is neither the old nor the new. */
static bool change(struct q2_ident *id, bool backwards)
{
	struct q2_ident old = { .present = false };
	struct q2_info was;
	char name[1024];
	unsigned int n;

	if (!look(&old, &was))
		return false;
	memcpy(name, disk + was.backing_offset, was.backing_len);
	memcpy(copy, disk, CLUSTER);
	if (q2_ident_update(&was, copy, CLUSTER, id, &up, &last_error) || up.nr > Q2_IDENT_STEPS)
		return false;
	for (n = 0; n < up.nr; n++)
		if (!play_step(n, backwards, &old, id, &was, name))
			return false;
	return !memcmp(disk, copy, CLUSTER);
}

static void fill(struct q2_ident *id, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < QCOW2_UUID_BYTES; i++) {
		id->uuid[i] = (u8)(n + i + 1);
		id->parent[i] = (u8)(n * 3 + i);
		id->job.base_uuid[i] = (u8)(n * 5 + i);
		id->other[i] = (u8)(n * 7 + i);
	}
	id->generation = n + 1;
	id->parent_generation = 1000 + n;
	id->has_other = n & 16;
	id->other_generation = 3000 + n;
	id->sealed = n & 1;
	id->job.type = n & 2 ? QCOW2_IDENT_JOB_STREAM : QCOW2_IDENT_JOB_NONE;
	id->job.paused = n & 4;
	id->job.copied = n & 8;
	id->job.active = n & 32;
	id->job.keep = n & 64;
	id->job.verify = n & 128;
	id->job.base = n % 7 ? (int)n % 255 : -1;
	id->job.on_error = n % 3;
	id->job.speed = (u64)n << 33;
	id->job.base_generation = n;
	id->job.top_generation = (u64)n << 21;
}

/* Without a backing name, and with longer ones; the extensions end at any offset. */
static void insert(void)
{
	struct q2_ident id;
	struct q2_info i;
	unsigned int n, pad;

	for (pad = 0; pad < 1200; pad += 8) {
		for (n = 0; n < 4; n++) {
			make_header(disk);
			if (pad) {
				/* "hello" grows */
				put32(disk, 132, pad);
				memset(disk + 136, 'h', pad);
				memset(disk + 136 + pad, 0, 8);
				put64(disk, H_BACKING, 136 + pad + 8);
				memcpy(disk + 136 + pad + 8, "a.raw", 5);
			}
			if (n & 1) {
				put64(disk, H_BACKING, 0);
				put32(disk, H_BACKING_LEN, 0);
			}
			CHECK(look(&id, &i) && !id.present);
			fill(&id, pad + n);
			CHECK(change(&id, n & 2), "pad %u, %u", pad, n);
			CHECK(look(&id, &i) && id.present && i.ident_len == QCOW2_IDENT_BYTES);
			CHECK(!i.backing_offset || i.backing_offset >= i.ext_end);
			CHECK(up.nr == (n & 1 ? 2 : 4));
			fill(&id, pad + n + 1);
			CHECK(change(&id, n & 2), "second one, pad %u, %u", pad, n);
		}
	}
}

/* QEMU moves the extension: everything stays true, and can be changed where it is then. */
static void moved(void)
{
	struct q2_ident id, seen;
	struct q2_info i;
	unsigned int shift, n;
	char data[QCOW2_IDENT_BYTES];

	for (shift = 8; shift < 1100; shift += 8) {
		make_header(disk);
		CHECK(look(&id, &i));
		for (n = 0; n < 1 + shift % 5; n++) {
			fill(&id, shift + n);
			CHECK(change(&id, false));
			CHECK(look(&id, &i) && id.present);
		}
		memcpy(data, disk + i.ident_offset, sizeof(data));
		memset(disk + 112, 0, CLUSTER - 112);
		put32(disk, 112, 0x11223344);
		put32(disk, 116, shift);
		put32(disk, 120 + shift, QCOW2_EXT_IDENT);
		put32(disk, 124 + shift, sizeof(data));
		memcpy(disk + 128 + shift, data, sizeof(data));
		put64(disk, H_BACKING, 136 + shift + sizeof(data));
		memcpy(disk + 136 + shift + sizeof(data), "a.raw", 5);
		CHECK(look(&seen, &i) && same(&seen, &id), "moved by %u", shift);
		for (n = 0; n < 5; n++) {
			fill(&seen, n);
			CHECK(change(&seen, n & 1), "moved by %u, change %u", shift, n);
		}
	}
}

/* A slot with one bad byte does not count; the one before it does. */
static void torn(void)
{
	struct q2_ident first, second, seen;
	struct q2_info i;
	unsigned int n;

	make_header(disk);
	CHECK(look(&first, &i));
	fill(&first, 1);
	CHECK(change(&first, false));
	second = first;
	fill(&second, 2);
	CHECK(change(&second, false));
	CHECK(look(&seen, &i) && second.slot != first.slot);
	for (n = 0; n < sizeof(struct qcow2_ident); n++) {
		char *p = disk + i.ident_offset + second.slot * sizeof(struct qcow2_ident) + n;

		*p ^= 0x40;
		CHECK(look(&seen, &i) && same(&seen, &first), "byte %u", n);
		*p ^= 0x40;
	}
	CHECK(look(&seen, &i) && same(&seen, &second));
}

/* The backing file's name may be changed as ever, and the identity stays. */
static void with_backing(void)
{
	static const char *const names[] = { "b.qcow2", NULL, "c.raw" };
	struct q2_header_update u;
	struct q2_ident id, seen;
	struct q2_info i;
	unsigned int n;

	make_header(disk);
	CHECK(look(&id, &i));
	fill(&id, 3);
	CHECK(change(&id, false));
	for (n = 0; n < 3; n++) {
		CHECK(look(&seen, &i));
		CHECK(!q2_set_backing(&i, disk, names[n], "raw", &u, &last_error));
		CHECK(look(&seen, &i) && same(&seen, &id));
		CHECK(!names[n] || (i.backing_len == strlen(names[n]) &&
				    !memcmp(disk + i.backing_offset, names[n], i.backing_len)));
	}
}

/* A name that lies far enough behind is not moved. */
static void name_stays(void)
{
	struct q2_ident id;
	struct q2_info i;

	make_header(disk);
	memcpy(disk + 5000, "a.raw", 5);
	put64(disk, H_BACKING, 5000);
	CHECK(look(&id, &i));
	fill(&id, 1);
	CHECK(change(&id, false) && look(&id, &i));
	CHECK(up.nr == 2 && i.backing_offset == 5000);
}

/* An image that never had a backing file can get one later. */
static void format_later(void)
{
	struct q2_header_update u;
	struct q2_ident id;
	struct q2_info i;

	make_header(disk);
	memset(disk + 112, 0, 100);
	put64(disk, H_BACKING, 0);
	put32(disk, H_BACKING_LEN, 0);
	put32(disk, 112, 0x11223344);
	put32(disk, 116, 300);
	CHECK(look(&id, &i) && !i.format_offset);
	fill(&id, 1);
	CHECK(change(&id, false));
	CHECK(look(&id, &i) && i.format_len == 3);
	CHECK(!q2_set_backing(&i, disk, "b.qcow2", "qcow2", &u, &last_error));
	CHECK(look(&id, &i) && i.format_len == 5 && !memcmp(disk + i.format_offset, "qcow2", 5));
}

static void no_room(void)
{
	struct q2_ident id;
	struct q2_info i;

	make_header(disk);
	put32(disk, 132, CLUSTER - 136 - 8 - 64);
	put64(disk, H_BACKING, 0);
	put32(disk, H_BACKING_LEN, 0);
	memset(disk + 136, 'x', CLUSTER - 136 - 8 - 64);
	memset(disk + CLUSTER - 72, 0, 72);
	CHECK(look(&id, &i) && i.ext_end);
	memcpy(copy, disk, CLUSTER);
	CHECK(q2_ident_update(&i, copy, CLUSTER, &id, &up, &last_error) == -ENOSPC);
	CHECK(!memcmp(copy, disk, CLUSTER), "changed in spite of the error");
	/* no end marker */
	make_header(disk);
	put32(disk, 144, 0x99);
	CHECK(!parse(disk, &i));
	CHECK(i.ext_end || q2_ident_update(&i, copy, CLUSTER, &id, &up, &last_error) == -EMEDIUMTYPE);
}

static void later_version(void)
{
	struct q2_ident id;
	struct q2_info i;
	char *slot;

	make_header(disk);
	CHECK(crc32c("123456789", 9) == 0xe3069283);
	CHECK(look(&id, &i));
	fill(&id, 1);
	CHECK(change(&id, false) && look(&id, &i));
	/* what a later one has written is left alone */
	slot = disk + i.ident_offset + id.slot * sizeof(struct qcow2_ident);
	put32(slot, 4, 2);
	put32(slot, 156, crc32c(slot, 156));
	CHECK(look(&id, &i) && !id.present && id.foreign);
	memcpy(copy, disk, CLUSTER);
	CHECK(q2_ident_update(&i, copy, CLUSTER, &id, &up, &last_error) == -EMEDIUMTYPE);
	CHECK(!memcmp(copy, disk, CLUSTER));
	/* too short an extension is none, and is not written to */
	put32(disk, i.ident_offset - 4, 16);
	put32(disk, i.ident_offset + 16, 0x99);
	put32(disk, i.ident_offset + 20, QCOW2_IDENT_BYTES - 24);
	CHECK(look(&id, &i) && !id.present);
	memcpy(copy, disk, CLUSTER);
	CHECK(q2_ident_update(&i, copy, CLUSTER, &id, &up, &last_error) == -EMEDIUMTYPE);
	CHECK(!memcmp(copy, disk, CLUSTER));
}

/* A second extension of the same type is ignored. No writer makes one. */
static void twice(void)
{
	struct q2_ident id, seen;
	struct q2_info i;

	make_header(disk);
	CHECK(look(&id, &i));
	fill(&id, 1);
	CHECK(change(&id, false) && look(&id, &i));
	put32(disk, i.ext_end - 8, QCOW2_EXT_IDENT);
	put32(disk, i.ext_end - 4, 8);
	memset(disk + i.ext_end, 0, 24);
	CHECK(look(&seen, &i) && same(&seen, &id));
}

static void parents(void)
{
	struct q2_ident child = { .present = true }, parent = { .present = true };
	struct q2_ident none = { .present = false }, base = { .present = true };

	memset(parent.uuid, 1, QCOW2_UUID_BYTES);
	memset(base.uuid, 2, QCOW2_UUID_BYTES);
	parent.generation = 5;
	base.generation = 3;
	CHECK(q2_ident_is_parent(&child, NULL) && q2_ident_is_parent(&child, &none));
	CHECK(!q2_ident_is_parent(&child, &parent));
	q2_ident_set_parent(&child, &parent);
	CHECK(q2_ident_is_parent(&child, &parent) && !q2_ident_is_parent(&child, &none));
	parent.generation++;
	CHECK(!q2_ident_is_parent(&child, &parent));
	parent.generation--;
	/* another one that was written as often */
	base.generation = parent.generation;
	CHECK(!q2_ident_is_parent(&child, &base));
	base.generation = 3;
	/* a stream: the base is right, too, once all is copied; then the two change places */
	q2_ident_set_other(&child, &base);
	CHECK(q2_ident_is_parent(&child, &base) && q2_ident_is_parent(&child, &parent));
	CHECK(!q2_ident_is_parent(&child, &none));
	q2_ident_set_parent(&child, &base);
	CHECK(!memcmp(child.parent, base.uuid, QCOW2_UUID_BYTES) && child.parent_generation == 3);
	CHECK(q2_ident_is_parent(&child, &base) && q2_ident_is_parent(&child, &parent));
	q2_ident_set_parent(&child, &base);
	CHECK(child.has_other && q2_ident_is_parent(&child, &parent));
	parent.generation++;
	CHECK(!q2_ident_is_parent(&child, &parent));
	q2_ident_set_other(&child, NULL);
	CHECK(q2_ident_is_parent(&child, NULL) && q2_ident_is_parent(&child, &none));
	/* the parent is no other one */
	child.has_other = false;
	q2_ident_set_other(&child, &base);
	CHECK(!child.has_other);
	/* one that is neither is the only one */
	q2_ident_set_other(&child, NULL);
	q2_ident_set_parent(&child, &parent);
	CHECK(!child.has_other && !q2_ident_is_parent(&child, &base));
	/* one without an identity is not the same as none */
	q2_ident_set_parent(&child, &none);
	CHECK(q2_ident_is_parent(&child, &none) && !q2_ident_is_parent(&child, NULL));
	q2_ident_set_other(&child, NULL);
	CHECK(q2_ident_is_parent(&child, &none) && q2_ident_is_parent(&child, NULL));
	q2_ident_set_parent(&child, NULL);
	CHECK(q2_ident_is_parent(&child, NULL) && q2_ident_is_parent(&child, &none));
	/* a child without an identity is content with anybody */
	CHECK(q2_ident_is_parent(&none, &parent));
}

static void job_name(void)
{
	const struct q2_ident_job none = { .base = -1 };
	struct q2_header_update u;
	struct q2_ident_job next;
	struct q2_ident id;
	struct q2_info i;
	const char *name;

	make_header(disk);
	CHECK(look(&id, &i));
	fill(&id, 2);
	CHECK(change(&id, false) && look(&id, &i));
	CHECK(!q2_ident_place_name(&i, disk, "sub/base.qcow2", &none, &id.job, &last_error));
	CHECK(id.job.name_offset >= i.ext_end);
	CHECK(change(&id, false) && look(&id, &i));
	name = q2_ident_job_name(&i, disk, &id);
	CHECK(name && id.job.name_len == 14 && !memcmp(name, "sub/base.qcow2", 14));
	/* the next job's name does not spoil it before it is recorded */
	CHECK(!q2_ident_place_name(&i, disk, "other", &id.job, &next, &last_error));
	CHECK(q2_ident_job_name(&i, disk, &id) == name && next.name_offset != id.job.name_offset);
	/* writing over it makes it invalid */
	disk[id.job.name_offset + 3] ^= 1;
	CHECK(!q2_ident_job_name(&i, disk, &id));
	disk[id.job.name_offset + 3] = 0;
	id.job.name_crc = crc32c(disk + id.job.name_offset, 14);
	CHECK(!q2_ident_job_name(&i, disk, &id));
	disk[id.job.name_offset + 3] = '/';
	id.job.name_crc = crc32c("sub/base.qcow2", 14);
	CHECK(!q2_set_backing(&i, disk, "sub/base.qcow2", "raw", &u, &last_error));
	CHECK(look(&id, &i) && q2_ident_job_name(&i, disk, &id));
	/* what no chain has is no "none" */
	id.job.base = 256;
	memcpy(copy, disk, CLUSTER);
	CHECK(!q2_ident_update(&i, copy, CLUSTER, &id, &up, &last_error));
	q2_ident_parse(&i, copy, &id);
	CHECK(id.present && id.job.base == -2);
	/* bad places are no places */
	id.job.name_offset = CLUSTER - 3;
	CHECK(!q2_ident_job_name(&i, disk, &id));
	id.job.name_offset = ~0U;
	CHECK(!q2_ident_job_name(&i, disk, &id));
	CHECK(!q2_ident_place_name(&i, disk, NULL, &none, &id.job, &last_error) && !id.job.name_len);
}

/* No update that would be written, and not count. */
static void last_number(void)
{
	struct q2_ident id;
	struct q2_info i;

	make_header(disk);
	CHECK(look(&id, &i));
	fill(&id, 1);
	id.sequence = ~0ULL - 1;
	CHECK(change(&id, false));
	CHECK(look(&id, &i) && id.present && !~id.sequence);
	memcpy(copy, disk, CLUSTER);
	id.generation++;
	CHECK(q2_ident_update(&i, copy, CLUSTER, &id, &up, &last_error) == -EMEDIUMTYPE);
	CHECK(!memcmp(disk, copy, CLUSTER));
}

/*
 * b and c were committed into a, which was given up, and something was made writable directly on a
 * meanwhile. Then other layers are committed, up to x: there is more in a than c shadows.
 */
static void given_up(struct q2_ident a, const struct q2_ident b, const struct q2_ident c)
{
	struct q2_ident f = c, x = c;
	u64 generation = a.generation;

	x.uuid[0] = 5;
	q2_ident_set_parent(&f, &a);
	CHECK(q2_ident_is_link(&f, &a, false) && q2_ident_is_link(&f, &a, true));
	q2_ident_set_target(&a, &x);
	CHECK(a.generation == generation + 1 && q2_ident_unfinished(&a));
	CHECK(!q2_ident_is_link(&f, &a, false), "without x above it");
	CHECK(q2_ident_is_link(&f, &a, true), "with x");
	CHECK(q2_ident_is_link(&b, &a, true) && !q2_ident_is_link(&b, &a, false));
	/* a further one, and what accepts two of them */
	q2_ident_set_target(&a, &c);
	CHECK(a.generation == generation + 2 && q2_ident_is_link(&f, &a, true));
	f.parent_generation = a.generation + 1;
	CHECK(!q2_ident_is_link(&f, &a, true), "one that never was");
	f.has_other = true;
	memcpy(f.other, a.uuid, sizeof(f.other));
	f.other_generation = generation;
	CHECK(q2_ident_is_link(&f, &a, true) && !q2_ident_is_link(&f, &a, false));
	f.other_generation = ~0ULL;
	CHECK(!q2_ident_is_link(&f, &a, true));
}

/* [a] -> [b] -> [c]: b and c are committed into a, which had the generation 5, or no identity. */
static void committed(bool had)
{
	struct q2_ident a, b, c, x, none = { .present = false };

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	a.present = had;
	a.generation = had ? 5 : 0;
	a.uuid[0] = had ? 1 : 0;
	b.present = true;
	b.uuid[0] = 2;
	b.generation = 7;
	q2_ident_set_parent(&b, &a);
	c = b;
	c.uuid[0] = 3;
	q2_ident_set_parent(&c, &b);
	x = b;
	x.uuid[0] = 4;

	a.uuid[0] = 1;
	q2_ident_set_target(&a, &c);
	a.present = true;
	CHECK(a.sealed && q2_ident_unfinished(&a) && a.generation == (had ? 6 : 1));
	CHECK(q2_ident_is_committed(&a, &c) && !q2_ident_is_committed(&a, &b));
	CHECK(!q2_ident_is_committed(&a, &none) && !q2_ident_is_committed(&b, &c));
	CHECK(q2_ident_is_link(&b, &a, true), "with c above it");
	CHECK(!q2_ident_is_link(&b, &a, false), "without");
	CHECK(q2_ident_is_link(&none, &a, true) && !q2_ident_is_link(&none, &a, false));
	/* given up, and once more */
	q2_ident_set_target(&a, &c);
	CHECK(a.generation == (had ? 6 : 1) && q2_ident_is_link(&b, &a, true));
	CHECK(q2_ident_is_link(&c, &b, false), "others are not concerned");
	given_up(a, b, c);
	/* the end: c's successor names a as it is now */
	q2_ident_set_other(&x, &a);
	CHECK(q2_ident_is_link(&x, &a, false));
	a.job.copied = true;
	CHECK(!q2_ident_unfinished(&a) && q2_ident_is_link(&x, &a, false));
	CHECK(q2_ident_is_link(&b, &a, true) && !q2_ident_is_link(&b, &a, false));
	CHECK(q2_ident_is_link(&none, &a, false), "a new image on it");
	/* the next one */
	q2_ident_set_target(&a, &x);
	CHECK(a.generation == (had ? 7 : 2) && !q2_ident_is_committed(&a, &c));
	CHECK(!q2_ident_is_link(&b, &a, true), "made for an older one");
	CHECK(q2_ident_is_link(&x, &a, true) && !q2_ident_is_link(&x, &a, false));
}

static void targets(void)
{
	committed(true);
	committed(false);
}

const struct test ident_tests[] = {
	{ "identity: inserted, with a crash anywhere", insert },
	{ "identity: moved by QEMU", moved },
	{ "identity: a torn update leaves the one before", torn },
	{ "identity: the backing file changes", with_backing },
	{ "identity: a name out of the way stays", name_stays },
	{ "identity: a format before there is a backing file", format_later },
	{ "identity: no room", no_room },
	{ "identity: of a later version", later_version },
	{ "identity: twice", twice },
	{ "identity: the last number there is", last_number },
	{ "identity: parents", parents },
	{ "identity: the name a job was given", job_name },
	{ "identity: a layer that a commit writes to", targets },
	{ NULL, NULL }
};
