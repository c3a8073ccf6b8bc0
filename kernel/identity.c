// SPDX-License-Identifier: GPL-2.0-only
/*
 * The identity of a layer: which one it is, which layer it was made for, whether another one is
 * based on it, and which job into it has not ended.
 *
 * All of this is in the header of the layer (identity-format.h). It does not reveal writes by
 * others: QEMU keeps the extension, but does not count.
 */
#include <linux/slab.h>
#include <linux/uuid.h>

#include "header.h"
#include "identity.h"
#include "load.h"
#include "mode.h"
#include "view.h"

/* ------------------------------------------------------------------ writing */

/* The chain reads what a job writes to by another struct cc_layer. */
static void cc_ident_set(struct cc_layer *layer, const struct q2_ident *id)
{
	spin_lock_irq(&layer->cc->lock);
	layer->ident = *id;
	if (layer->twin)
		layer->twin->ident = *id;
	spin_unlock_irq(&layer->cc->lock);
}

/* Make @now the identity. Return: 0, -EMEDIUMTYPE if the header cannot have one, -errno. */
static int cc_ident_write(struct cc_layer *layer, const struct q2_ident *now)
{
	struct q2_ident id = *now;
	struct q2_ident_update up;
	struct q2_error err;
	struct q2_info fresh;
	u32 len, i;
	u8 *buf;
	int r;

	lockdep_assert_held(&layer->cc->ctl);
	buf = cc_layer_header_again(layer, &len);
	if (IS_ERR(buf))
		return PTR_ERR(buf);
	r = q2_ident_update(&layer->q2, buf, len, &id, &up, &err);
	if (!r)
		r = q2_parse_header(buf, len, layer->dev_bytes, &fresh, &err);
	if (r) {
		kvfree(buf);
		cc_layer_err(layer, "it is used without an identity: %s", err.text);
		return r == -ENOSPC ? -EMEDIUMTYPE : r;
	}
	for (i = 0; i < up.nr && !r; i++)
		r = cc_layer_write_header(layer, buf, up.step[i].offset, up.step[i].len);
	kvfree(buf);
	if (r) {
		cc_layer_err(layer, "cannot write the header: error %d", r);
		return r;
	}
	cc_layer_take_names(layer, &fresh);
	cc_ident_set(layer, &id);
	return 0;
}

/*
 * As cc_ident_write(), but restore the old identity after an error: if only the flush has failed,
 * the new one may be on disk, and the next activation would act on what was reported to the user as
 * failed.
 */
static int cc_ident_write_or_not(struct cc_layer *layer, const struct q2_ident *now)
{
	const struct q2_ident was = layer->ident;
	int r = cc_ident_write(layer, now);

	if (r && r != -EMEDIUMTYPE && was.present && cc_ident_write(layer, &was))
		cc_layer_err(layer, "the change that has failed may be in its header nevertheless");
	return r;
}

/* An image whose header has no room for an identity is used without one. */
static int cc_ident_try_write(struct cc_layer *layer, const struct q2_ident *now)
{
	int r = cc_ident_write(layer, now);

	return r == -EMEDIUMTYPE ? 0 : r;
}

static void cc_ident_drop_job(struct q2_ident *id)
{
	memset(&id->job, 0, sizeof(id->job));
	id->job.base = -1;
}

int cc_ident_lower(struct cc_layer **layers, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i + 1 < nr; i++)
		if (q2_ident_has_lower(&layers[i]->ident))
			return i;
	return -1;
}

/* ------------------------------------------------------------- checks, use */

/* Is what a commit has changed in layers[i - 1] shadowed by the layers above it? */
static bool cc_ident_is_shadowed(struct cc_layer **layers, unsigned int nr, unsigned int i)
{
	const struct q2_ident *target = &layers[i - 1]->ident;

	for (; i < nr; i++)
		if (q2_ident_is_committed(target, &layers[i]->ident))
			return true;
	return false;
}

static int cc_ident_say_link(struct cc_layer *layer, struct cc_layer *below)
{
	if (q2_ident_unfinished(&below->ident))
		cc_layer_err(below,
			     "a commit into it has not ended: use it in the chain that it came from, and commit again, or load with the feature ignore_identity");
	else
		cc_layer_err(layer,
			     "the layer below it, %s, was replaced or written to since: restore it, or load with the feature ignore_identity",
			     below->name);
	return -ESTALE;
}

/* Check that each layer is still on the layer that it was made for. */
static int cc_ident_check_links(struct cc_layer **layers, unsigned int nr)
{
	struct cc_layer *bottom = layers[0];
	unsigned int i;

	/* If the header names no backing file, that is right: QEMU may have removed it. */
	if (bottom->q2.backing_len && !q2_ident_is_parent(&bottom->ident, NULL)) {
		cc_layer_err(bottom,
			     "the layer below it is missing: name it, or load with the feature ignore_identity");
		return -ESTALE;
	}
	for (i = 1; i < nr; i++)
		if (!q2_ident_is_link(&layers[i]->ident, &layers[i - 1]->ident,
				      cc_ident_is_shadowed(layers, nr, i)))
			return cc_ident_say_link(layers[i], layers[i - 1]);
	return 0;
}

static int cc_ident_say_pivoted(struct cc_layer *top)
{
	cc_layer_err(top,
		     "all of it was committed into layer %d, which has become the top in its place: use that; this one would mix old and new",
		     top->ident.job.base);
	return -ESTALE;
}

/*
 * A top that is being committed is right as long as its base is marked: the mark is written before
 * the record, and goes when the base becomes the top. What lies between need not have an identity,
 * and tells nothing then.
 */
static int cc_ident_check_active(struct cc_layer **layers, unsigned int nr)
{
	struct cc_layer *top = layers[nr - 1];
	const struct q2_ident_job *job = &top->ident.job;
	unsigned int i;

	if (job->type != QCOW2_IDENT_JOB_COMMIT || !job->active)
		return 0;
	for (i = 0; i + 1 < nr; i++)
		if (!memcmp(layers[i]->ident.uuid, job->base_uuid, QCOW2_UUID_BYTES) &&
		    q2_ident_unfinished(&layers[i]->ident) &&
		    q2_ident_is_committed(&layers[i]->ident, &top->ident))
			return 0;
	return cc_ident_say_pivoted(top);
}

int cc_ident_check_top(struct cc_layer *top)
{
	struct cowchain *cc = top->cc;

	if (top->ident.foreign && !cc->ignore_identity) {
		cc_layer_err(top,
			     "its identity was written by a later version: load with the feature ignore_identity");
		return -EMEDIUMTYPE;
	}
	if (q2_ident_unfinished(&top->ident) && !cc->ignore_identity) {
		cc_layer_err(top,
			     "a commit into it has not ended: use it in the chain that it came from, and commit again, or load with the feature ignore_identity");
		return -EMEDIUMTYPE;
	}
	if (top->ident.job.type == QCOW2_IDENT_JOB_PIVOTED && !cc->ignore_identity)
		return cc_ident_say_pivoted(top);
	if (top->ident.present && top->ident.sealed && !cc->allow_sealed) {
		cc_layer_err(top,
			     "it has become the backing file of another image: put a new top on it, or load with the feature allow_sealed");
		return -EMEDIUMTYPE;
	}
	return 0;
}

int cc_ident_check(struct cowchain *cc, struct cc_layer **layers, unsigned int nr)
{
	int r = cc_ident_check_top(layers[nr - 1]);

	if (!r && !cc->ignore_identity)
		r = cc_ident_check_links(layers, nr);
	if (!r && !cc->ignore_identity)
		r = cc_ident_check_active(layers, nr);
	return r;
}

/* Count this use, so that a layer that is based on it is refused from now on. */
static void cc_ident_use(struct q2_ident *id, const struct q2_ident *parent)
{
	if (!id->present)
		generate_random_uuid(id->uuid);
	id->generation++;
	id->sealed = false;
	q2_ident_set_parent(id, parent);
}

/* Is one to be continued? Those of the top come first. */
static void cc_ident_find_job(struct cowchain *cc, struct cc_layer **layers, unsigned int nr)
{
	struct cc_layer *layer = layers[nr - 1];
	int lower = cc_ident_lower(layers, nr);

	if (!q2_ident_has_job(&layer->ident)) {
		if (lower < 0)
			return;
		layer = layers[lower];
	}
	cc->continue_job = !cc->no_auto_resume;
	cc_info(cc, "layer %s: a %s was interrupted%s", layer->name,
		layer->ident.job.type == QCOW2_IDENT_JOB_COMMIT ? "commit below it" :
								  "stream into it",
		cc->no_auto_resume ? " and waits: job-resume continues it" : "");
}

int cc_ident_activate(struct cowchain *cc, struct cc_layer **layers, unsigned int nr)
{
	struct cc_layer *top = layers[nr - 1];
	struct q2_ident id;
	int r;

	lockdep_assert_held(&cc->ctl);
	if (cc->read_only)
		return 0;
	r = cc_ident_check(cc, layers, nr);
	if (r)
		return r;
	id = top->ident;
	/* It is written from here on, so whatever was on it is right no more. */
	if (id.job.type == QCOW2_IDENT_JOB_TARGET || id.job.type == QCOW2_IDENT_JOB_PIVOTED)
		cc_ident_drop_job(&id);
	cc_ident_use(&id, nr > 1 ? &layers[nr - 2]->ident : NULL);
	r = cc_ident_try_write(top, &id);
	if (r)
		return r;
	cc_ident_find_job(cc, layers, nr);
	return 0;
}

/* ----------------------------------------------------------------- snapshot */

/*
 * The new top is written first, then the seal; then cc_snapshot_switch() sends the guest's writes
 * to the new top. After a crash
 *
 * - before the seal, the old top can be used as before. If it is used, its generation grows, and
 *   the new top, which is empty, is refused on it.
 * - after the seal, the old top is complete as after any crash, and the new one is empty and names
 *   the old one. Attaching the new top gives everything that was there; attaching the old one is
 *   refused because of the other.
 *
 * So the new top never has data while the old one can be written without a warning. There may be
 * any time between the first two (a snapshot that is prepared): nothing can change the identity of
 * the old top meanwhile, since only an activation and jobs do, and the snapshot excludes these.
 */
int cc_ident_set_below(struct cc_layer *top, const struct cc_layer *old)
{
	struct q2_ident id = top->ident;

	cc_ident_use(&id, &old->ident);
	cc_ident_drop_job(&id);
	return cc_ident_try_write(top, &id);
}

int cc_ident_seal(struct cc_layer *old, bool job)
{
	struct q2_ident id = old->ident;

	if (!id.present)
		return 0;
	id.sealed = true;
	/* One that goes on into @old is recorded there, also when that is no longer the top. */
	if (!job)
		cc_ident_drop_job(&id);
	return cc_ident_write_or_not(old, &id);
}

void cc_ident_unseal(struct cc_layer *old)
{
	struct q2_ident id = old->ident;

	id.sealed = false;
	if (id.present && cc_ident_write(old, &id))
		cc_layer_err(old, "it stays marked as a backing file: the feature allow_sealed overrides that");
}

/* --------------------------------------------------------------------- jobs */

/* Keep the name for the header in a free place of it, and set that place in @job. */
static int cc_ident_place_name(struct cc_layer *top, const char *name, struct q2_ident_job *job)
{
	struct q2_error err;
	u32 len;
	u8 *buf = cc_layer_header_again(top, &len);
	int r;

	if (IS_ERR(buf))
		return PTR_ERR(buf);
	r = q2_ident_place_name(&top->q2, buf, name, &top->ident.job, job, &err);
	if (r)
		cc_layer_err(top, "%s", err.text);
	else
		r = cc_layer_write_header(top, buf, job->name_offset, job->name_len);
	kvfree(buf);
	return r;
}

int cc_ident_set_job(struct cc_layer *top, const struct q2_ident_job *job, const char *name)
{
	struct q2_ident id = top->ident;
	int r = 0;

	if (!id.present) {
		cc_info(top->cc, "layer %s has no identity: the job is not recorded",
			top->name);
		return 0;
	}
	id.job = *job;
	/* A layer below the top: see q2_ident_has_lower(). */
	if (top->twin)
		id.sealed = true;
	if (name)
		r = cc_ident_place_name(top, name, &id.job);
	return r ? r : cc_ident_write_or_not(top, &id);
}

void cc_ident_save_job(struct cc_layer *top, u64 speed, bool paused, bool keep)
{
	struct q2_ident id = top->ident;

	if (!id.present || !id.job.type ||
	    (id.job.speed == speed && id.job.paused == paused && id.job.keep == keep))
		return;
	id.job.speed = speed;
	id.job.paused = paused;
	id.job.keep = keep;
	cc_ident_write(top, &id);
}

/*
 * From here on the chain may be attached without the layers in between, and so without the one that
 * names the base. So its name is recorded now.
 */
int cc_ident_job_copied(struct cc_layer *top, const struct cc_layer *base, const char *name)
{
	struct q2_ident id = top->ident;
	int r = 0;

	if (!id.present)
		return 0;
	if (name)
		r = cc_ident_place_name(top, name, &id.job);
	id.job.copied = true;
	q2_ident_set_other(&id, base ? &base->ident : NULL);
	return r ? r : cc_ident_write(top, &id);
}

/*
 * The layer that was below remains right as well, since a table that was loaded before the stream
 * ended still names it. If this write fails, the header still accepts both, and the next activation
 * ends the job.
 */
void cc_ident_job_done(struct cc_layer *top, const struct cc_layer *base)
{
	struct q2_ident id = top->ident;

	if (!id.present)
		return;
	q2_ident_set_parent(&id, base ? &base->ident : NULL);
	cc_ident_drop_job(&id);
	cc_ident_write(top, &id);
}

int cc_ident_job_drop(struct cc_layer *top)
{
	struct q2_ident id = top->ident;

	if (!id.present)
		return 0;
	if (!id.job.type) {
		/* Dropping it has failed before, but was done, which the chain does not know. */
		cc_ident_set(top, &id);
		return 0;
	}
	cc_ident_drop_job(&id);
	return cc_ident_write(top, &id);
}

int cc_ident_commit(struct cc_layer *target, const struct cc_layer *last,
		    const struct cc_layer *top)
{
	struct q2_ident id = target->ident;

	if (!last->ident.present)
		last = top;
	/* Nobody can be told that this chain is right and others are not. */
	if (target->kind == CC_RAW || !last->ident.present)
		return 0;
	if (!id.present)
		generate_random_uuid(id.uuid);
	q2_ident_set_target(&id, &last->ident);
	return cc_ident_try_write(target, &id);
}

/* The index of the layer that an unfinished commit into layer @i copies last, or -1. */
static int cc_ident_named(struct cc_view *view, unsigned int i)
{
	const struct q2_ident *target = &view->layer[i]->ident;
	unsigned int n;

	for (n = i + 1; q2_ident_unfinished(target) && n < view->nr; n++)
		if (q2_ident_is_committed(target, &view->layer[n]->ident))
			return n;
	return -1;
}

static int cc_ident_say_part(struct cc_view *view, unsigned int i, int named)
{
	cc_layer_err(view->layer[i],
		     "has a part of layer %d, since a commit of that has not ended: do that first (commit top %d base %u)",
		     named, named, i);
	return -EBUSY;
}

/*
 * A layer with an unfinished commit has a part of what the named one has. What is copied out of it,
 * or is based on it, is right only with that one above it; and what was made for it stays right on
 * it only as long as that one is there.
 */
int cc_ident_check_commit(struct cc_view *view, int base, int top)
{
	int i, named;

	for (i = 0; i <= top; i++) {
		named = cc_ident_named(view, i);
		if (i < base ? named > base && named <= top : named > top)
			return cc_ident_say_part(view, i, named);
	}
	return 0;
}

int cc_ident_check_stream(struct cc_view *view, int base, int top)
{
	int i, named;

	for (i = 0; i < top; i++) {
		named = cc_ident_named(view, i);
		if (named > top || (i <= base && named > base && named < top))
			return cc_ident_say_part(view, i, named);
	}
	return 0;
}

/*
 * All that the layer shows has to be right without what is above it, also if the feature
 * ignore_identity has let the chain pass.
 *
 * The header has one place for the mark of a commit and for the record of a stream. An unfinished
 * commit needs the mark. A finished one leaves it for those that were made for the layer as it was
 * before: they are not above it in this chain, or it stays.
 */
int cc_ident_check_lower(struct cc_view *view, int top)
{
	const struct q2_ident *id = &view->layer[top]->ident;
	struct cc_layer *above = view->layer[top + 1];
	int r = cc_ident_check_links(view->layer, top + 1);

	/* What is wrong would be copied into a layer that others have, too. */
	if (r)
		return r;
	if (!id->present || id->job.type != QCOW2_IDENT_JOB_TARGET)
		return 0;
	if (!q2_ident_unfinished(id) && q2_ident_is_parent(&above->ident, id))
		return 0;
	cc_layer_err(view->layer[top],
		     "a commit has written to it, and layer %d above it was made before: that commit first",
		     top + 1);
	return -EBUSY;
}

/* If this fails, the base is right below the top, which names it as it is now, and nowhere else. */
void cc_ident_commit_done(struct cc_layer *target)
{
	struct q2_ident id = target->ident;

	if (!q2_ident_unfinished(&id))
		return;
	id.job.copied = true;
	cc_ident_write(target, &id);
}

/*
 * One write changes which chain is right. A write that failed may have been done nevertheless; then
 * the old mark is written again.
 */
int cc_ident_pivot(struct cc_layer *target, const struct cc_layer *below)
{
	const struct q2_ident was = target->ident;
	struct q2_ident id = was;
	int r;

	cc_ident_drop_job(&id);
	cc_ident_use(&id, below ? &below->ident : NULL);
	r = cc_ident_write(target, &id);
	if (r && cc_ident_write(target, &was))
		cc_set_mode(target->cc, CC_RO,
			    "it is not known whether the base has become the top in its header");
	return r;
}

void cc_ident_pivoted(struct cc_layer *old)
{
	struct q2_ident id = old->ident;

	if (!id.present || !id.job.type)
		return;
	id.job.type = QCOW2_IDENT_JOB_PIVOTED;
	cc_ident_write(old, &id);
}

char *cc_ident_job_name(struct cc_layer *top)
{
	const char *name;
	char *copy = NULL;
	u32 len;
	u8 *buf;

	if (!top->ident.job.name_len)
		return NULL;
	buf = cc_layer_header(top, &len);
	if (IS_ERR(buf))
		return ERR_CAST(buf);
	name = q2_ident_job_name(&top->q2, buf, &top->ident);
	if (name) {
		copy = kmemdup_nul(name, top->ident.job.name_len, GFP_KERNEL);
		if (!copy)
			copy = ERR_PTR(-ENOMEM);
	}
	kvfree(buf);
	return copy;
}
