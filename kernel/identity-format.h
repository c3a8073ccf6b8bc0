/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The identity of a layer, on disk: a header extension of our own.
 *
 * QEMU keeps unknown extensions when it rewrites a header, but may move them. The data consists of
 * three slots of one size; of those with a correct checksum the one with the highest sequence
 * number is valid. At most one slot crosses a sector boundary, wherever the extension begins. So
 * there is always a slot that does not and is not the valid one: an update is one write inside one
 * sector, and a torn one leaves what was there before.
 *
 * Everything is big endian. Shared with userspace.
 */
#ifndef COWCHAIN_IDENTITY_FORMAT_H
#define COWCHAIN_IDENTITY_FORMAT_H

#include <linux/types.h>

#define QCOW2_EXT_IDENT			0x43774964U	/* "CwId" */

#define QCOW2_IDENT_MAGIC		0x6377696dU
#define QCOW2_IDENT_VERSION		1
#define QCOW2_IDENT_SLOTS		3
#define QCOW2_UUID_BYTES		16

/* qcow2_ident.flags */
#define QCOW2_IDENT_SEALED		(1U << 0)
#define QCOW2_IDENT_JOB_PAUSED		(1U << 1)
#define QCOW2_IDENT_JOB_COPIED		(1U << 2)	/* the top has everything */
#define QCOW2_IDENT_OTHER		(1U << 3)	/* other_uuid is valid */
#define QCOW2_IDENT_JOB_ACTIVE		(1U << 4)	/* a commit of the top itself */
#define QCOW2_IDENT_JOB_KEEP		(1U << 5)	/* which ends when it is told to */
#define QCOW2_IDENT_JOB_VERIFY		(1U << 6)	/* what is copied is read back */

/* qcow2_ident.job_type */
#define QCOW2_IDENT_JOB_NONE		0
#define QCOW2_IDENT_JOB_STREAM		1
#define QCOW2_IDENT_JOB_COMMIT		2	/* in the header of the top */
#define QCOW2_IDENT_JOB_TARGET		3	/* in that of the layer that is written */
#define QCOW2_IDENT_JOB_PIVOTED		4	/* in that of a top that is no longer one */

#define QCOW2_IDENT_ANONYMOUS		1

#define QCOW2_IDENT_NO_BASE		0xffffffffU

/*
 * The fields from job_type to job_name_crc are what a job was asked to do; they are set from its
 * start to its end. Its backing file name lies outside of the extension in the header cluster; a
 * program that rewrites the header loses it.
 *
 * In the layer that a commit writes to, job_base_uuid is the topmost layer that is copied: with
 * that one above it, whatever was made for its generation job_base_generation (0: for it when it
 * had no identity) is still right on it, in its generation job_top_generation or a later one: it
 * has lost nothing since. So is what was made for a generation between the two: a commit that was
 * given up has left those. The flag JOB_COPIED says that the commit has ended.
 *
 * At the end of a commit of the top, the layer that was written is the top; it was used once more,
 * and has no job. Then what was the top is marked as PIVOTED, with the same fields as the commit.
 *
 * A parent without an identity, such as a raw image, has the UUID zero and the generation
 * QCOW2_IDENT_ANONYMOUS; none at all, zero and zero.
 *
 * After a stream a layer contains everything between two possible parents, and both are right. The
 * other one is the one that the header does not name.
 */
struct qcow2_ident {
	__be32 magic;
	__be32 version;
	__be64 sequence;
	__u8 uuid[QCOW2_UUID_BYTES];
	__u8 parent_uuid[QCOW2_UUID_BYTES];	/* zeros: see above */
	__be64 generation;		/* times that it was made writable */
	__be64 parent_generation;
	__be32 flags;
	__be32 job_type;
	__be32 job_base;		/* number of the layer, or NO_BASE */
	__be32 job_on_error;
	__be64 job_speed;		/* bytes per second, 0 unlimited */
	__u8 job_base_uuid[QCOW2_UUID_BYTES];
	__be64 job_base_generation;
	__be32 job_name_offset;
	__be32 job_name_len;		/* 0: none was given */
	__be32 job_name_crc;
	__u8 other_uuid[QCOW2_UUID_BYTES];
	__be64 other_generation;
	__be64 job_top_generation;
	__be32 crc;			/* CRC32C of all before it */
} __attribute__((packed));

/* Data of the extension, a multiple of 8. */
#define QCOW2_IDENT_BYTES	(QCOW2_IDENT_SLOTS * (__u32)sizeof(struct qcow2_ident))

#endif /* COWCHAIN_IDENTITY_FORMAT_H */
