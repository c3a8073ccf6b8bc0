/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pure code for the identity of a layer: reads and changes the extension that identity-format.h
 * describes. As in qcow2.h: no I/O, any context.
 */
#ifndef COWCHAIN_QCOW2_IDENT_H
#define COWCHAIN_QCOW2_IDENT_H

#include "identity-format.h"
#include "qcow2.h"

/**
 * struct q2_ident_job - what a job was asked to do.
 * @type: QCOW2_IDENT_JOB_NONE if there is none.
 * @paused: by the user.
 * @copied: the top has all that it needs; only the header is to be changed.
 * @active, @keep: a commit of the top itself, which ends when it is told to.
 * @verify: what is copied is read back.
 * @base: number of the base layer, -1 for none, less if it is invalid.
 * @on_error, @speed: as asked for; @on_error as in enum cc_on_error.
 * @base_uuid, @base_generation: identity of the base, zeros if it has none.
 * @top_generation: with QCOW2_IDENT_JOB_TARGET, that of the topmost layer, which @base_uuid is.
 * @name_offset, @name_len: backing file name in the header cluster; 0 for none.
 */
struct q2_ident_job {
	u32 type;
	bool paused;
	bool copied;
	bool active;
	bool keep;
	bool verify;
	int base;
	u32 on_error;
	u64 speed;
	u8 base_uuid[QCOW2_UUID_BYTES];
	u64 base_generation;
	u64 top_generation;
	u32 name_offset;
	u32 name_len;
	u32 name_crc;
};

/**
 * struct q2_ident - the identity of a layer.
 * @present: the layer has an identity; otherwise only @foreign is valid.
 * @foreign: it has one, but that was written by a later version.
 * @slot, @sequence: where it was found.
 * @uuid: of this layer.
 * @generation: how often it was made writable.
 * @parent, @parent_generation: the layer below at that time; zeros if there was none, or one
 *	without an identity.
 * @has_other, @other, @other_generation: another layer that may be the one below, since a stream
 *	has copied what lies between the two.
 * @sealed: this is the backing file of another layer; writing to it breaks that one.
 * @job: a job of the chain with this top that has not ended, or the commit that writes to this
 *	layer.
 */
struct q2_ident {
	bool present;
	bool foreign;
	u32 slot;
	u64 sequence;
	u8 uuid[QCOW2_UUID_BYTES];
	u64 generation;
	u8 parent[QCOW2_UUID_BYTES];
	u64 parent_generation;
	bool has_other;
	u8 other[QCOW2_UUID_BYTES];
	u64 other_generation;
	bool sealed;
	struct q2_ident_job job;
};

/**
 * q2_ident_parse() - find the identity in a header cluster.
 * @info: what q2_parse_header() said about @buf.
 * @buf: the whole header cluster.
 * @id: filled in.
 */
void q2_ident_parse(const struct q2_info *info, const void *buf, struct q2_ident *id);

/**
 * q2_ident_job_name() - the backing file name that was recorded for the job.
 *
 * Return: a pointer into @buf to id->job.name_len bytes, or NULL if none was recorded or it was
 * overwritten since.
 */
const char *q2_ident_job_name(const struct q2_info *info, const void *buf,
			      const struct q2_ident *id);

/**
 * q2_ident_is_parent() - check that @parent is what @child has as the layer below.
 * @parent: NULL if there is none, or one without an identity.
 */
bool q2_ident_is_parent(const struct q2_ident *child, const struct q2_ident *parent);

/**
 * q2_ident_set_parent() - make @parent (NULL: none) the layer below @child.
 *
 * If it was the other one that is right, the two change places; if it was neither, it becomes the
 * only one.
 */
void q2_ident_set_parent(struct q2_ident *child, const struct q2_ident *parent);

/**
 * q2_ident_is_link() - may @child be on @parent in a chain?
 * @shadowed: a layer above @parent is what a commit has copied into it last, see
 *	q2_ident_is_committed().
 *
 * As q2_ident_is_parent(), but a layer to which a commit writes, or has written before it was given
 * up, is right below those layers alone that shadow what has changed.
 */
bool q2_ident_is_link(const struct q2_ident *child, const struct q2_ident *parent, bool shadowed);

/*
 * Is @id the topmost layer that a commit copies into @target? With it, all that it copies is
 * there; an older copy of it would not have all.
 */
bool q2_ident_is_committed(const struct q2_ident *target, const struct q2_ident *id);

/* Is a job of the chain with this top recorded? */
static inline bool q2_ident_has_job(const struct q2_ident *id)
{
	return id->job.type == QCOW2_IDENT_JOB_STREAM || id->job.type == QCOW2_IDENT_JOB_COMMIT;
}

/*
 * Is a stream into this layer recorded, which lies below another? (If it was only left behind in a
 * top on which somebody has put another image since, it is not sealed: nobody has asked for that
 * to be written.)
 */
static inline bool q2_ident_has_lower(const struct q2_ident *id)
{
	return id->present && id->sealed && id->job.type == QCOW2_IDENT_JOB_STREAM;
}

/* Has a commit written to this layer that has not ended? By itself it may be a mixture. */
bool q2_ident_unfinished(const struct q2_ident *id);

/**
 * q2_ident_set_target() - count a commit into a layer, which is sealed: others are based on it.
 * @id: of the layer. If it has no identity, a UUID has to be set, and @present is still false.
 * @last: of the topmost layer that is committed, or of one above that.
 *
 * After a commit that was given up, one of the same layers is the same commit, and of others a new
 * one: it counts a generation, and what the given-up one has left is right below @last only.
 */
void q2_ident_set_target(struct q2_ident *id, const struct q2_ident *last);

/* Let @other (NULL: none) be the layer below @child as well. */
void q2_ident_set_other(struct q2_ident *child, const struct q2_ident *other);

#define Q2_IDENT_STEPS 4

/**
 * struct q2_ident_update - writes that bring a new identity to the disk.
 * @step: byte ranges of the changed header cluster; each has to be durable before the next one is
 *	written.
 *
 * Only the last one changes the identity, and it lies inside one sector. (The second of four makes
 * the header point to a copy of the backing file name.)
 */
struct q2_ident_update {
	struct {
		u32 offset;
		u32 len;
	} step[Q2_IDENT_STEPS];
	u32 nr;
};

/**
 * q2_ident_update() - change the identity in a copy of the header cluster.
 * @info: what q2_parse_header() said about @buf.
 * @buf: the whole header cluster; modified.
 * @len: its bytes.
 * @id: the new identity; @slot and @sequence are those of the old one and are updated.
 * @up: what to write.
 * @err: what is wrong.
 *
 * Inserts the extension if there is none yet. An image without a backing file format then gets a
 * place for one as well, since behind the identity there is none that a later q2_set_backing()
 * could use.
 *
 * Return: 0, -EMEDIUMTYPE or -ENOSPC (no room in the header); @buf is unchanged then.
 */
int q2_ident_update(const struct q2_info *info, void *buf, u32 len, struct q2_ident *id,
		    struct q2_ident_update *up, struct q2_error *err);

/**
 * q2_ident_place_name() - keep a backing file name for the job in a free place.
 * @name: NUL-terminated, or NULL for none.
 * @waiting: the job that is still recorded; its name is not overwritten if there is room elsewhere.
 * @job: gets the place of the name, which has to be written before the identity.
 * @err: what is wrong.
 *
 * Return: 0, -ENAMETOOLONG or -ENOSPC (no room in the header).
 */
int q2_ident_place_name(const struct q2_info *info, void *buf, const char *name,
			const struct q2_ident_job *waiting, struct q2_ident_job *job,
			struct q2_error *err);

#endif /* COWCHAIN_QCOW2_IDENT_H */
