// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stream into a layer below the top: [A] -> [B] -> [C] -> [D], where C gets what B has, becomes
 * [A] -> [C] -> [D].
 *
 * It is the same walk and the same copies as of a stream into the top (stream.c, cursor.c, copy.c),
 * over a view of the job's own that ends with the layer that is written. What that layer reads like
 * never changes: it only gets what it had shown already. So nothing has to be kept from the guest,
 * which reads the chain from another view meanwhile, be it from an old L2 block in memory; no other
 * image that was made for the layer becomes wrong, so it needs no new generation; and whichever of
 * the bits are durable after a crash, each chain with the layer is right. Two things change at the
 * end, and only together can the layers between go: the name in the header of the layer, and the
 * view of the guest.
 *
 * There are two ways to get here. By a message: then the target is a twin of the layer of the chain
 * (job-target.c). Or a snapshot has put a new top on the one that a stream was copying into: then
 * the target is the layer of the chain itself, with the map and the writer that it has had as the
 * top. The guest reads that layer's L2 blocks by the dm-bufio client to which the writer's syncs
 * store words; see cc_store_words() and cc_l2_words().
 */
#include <linux/slab.h>

#include "identity.h"
#include "job-header.h"
#include "job-target.h"
#include "lower.h"
#include "scan.h"
#include "top.h"
#include "writer.h"

static int cc_lower_view(struct cc_job *job, struct cc_view *view, int top)
{
	struct cc_layer **layers = kcalloc(top + 1, sizeof(*layers), GFP_KERNEL);

	if (!layers)
		return -ENOMEM;
	memcpy(layers, view->layer, top * sizeof(*layers));
	layers[top] = job->target;
	job->view = cc_view_create(job->cc, layers, top + 1, NULL);
	kfree(layers);
	return job->view ? 0 : -ENOMEM;
}

int cc_lower_open(struct cc_job *job, const void *data)
{
	const struct cc_stream_args *args = data;
	struct cc_view *view = cc_view_get(job->cc, false);
	struct cc_layer *layer;
	int r;

	if (!view)
		return -EBUSY;
	layer = view->layer[args->top];
	r = cc_target_open(job, view, layer, args->path, args->data_path, false);
	if (!r)
		r = cc_target_attach(job);
	if (!r)
		r = cc_lower_view(job, view, args->top);
	if (!r) {
		job->target->streamed = true;
		job->lower = true;
	}
	/* Not kept: nobody else closes layers of the chain while there is a job. */
	cc_view_put(view, false);
	return r;
}

static unsigned int cc_lower_index(struct cc_job *job, struct cc_view *view)
{
	struct cc_layer *layer = job->target->twin ?: job->target;

	return cc_view_index(view, layer->slot);
}

/* Its below map is a new one, since the guest's top does not shadow what goes. */
static struct cc_view *cc_lower_make(struct cc_job *job, struct cc_view *old)
{
	unsigned int at = cc_lower_index(job, old), nr = 0, i;
	struct cc_layer **layers = kcalloc(old->nr, sizeof(*layers), GFP_KERNEL);
	struct cc_view *now;

	if (!layers)
		return NULL;
	/* A snapshot may have used the slot that was free when the job began. */
	if (job->target->twin)
		job->target->slot = cc_view_free_slot(old);
	for (i = 0; (int)i <= job->base; i++)
		layers[nr++] = old->layer[i];
	layers[nr++] = job->target;
	for (i = at + 1; i < old->nr; i++)
		layers[nr++] = old->layer[i];
	now = cc_view_create(job->cc, layers, nr, NULL);
	kfree(layers);
	return now;
}

/* It takes the place of its twin. Nobody but the job has used its map. */
static void cc_lower_replace(struct cc_job *job)
{
	struct cc_layer *target = cc_target_take(job);

	target->streamed = false;
	cc_top_detach(target);
	cc_layer_end_writing(target);
	cc_layer_end_twin(target);
}

/* A snapshot that makes a layer the target waits for the end of this. */
int cc_lower_settle(struct cc_job *job)
{
	int r = cc_job_try_write(job);

	if (r)
		return r;
	if (job->target)
		r = cc_writer_sync(job->target->writer);
	cc_job_end_write(job);
	return r;
}

struct cc_view *cc_lower_complete(struct cc_job *job, struct cc_view *old)
{
	struct cc_view *now = cc_lower_make(job, old);
	int r = now ? cc_writer_sync(job->target->writer) : -ENOMEM;

	lockdep_assert_held(&job->cc->ctl);
	if (!r)
		r = cc_job_end_header(job);
	if (r) {
		cc_view_destroy(now);
		return ERR_PTR(r);
	}
	if (job->target->twin)
		cc_lower_replace(job);
	cc_view_publish(job->cc, now);
	return now;
}

void cc_lower_adopt(struct cc_job *job, struct cc_layer *layer)
{
	struct cc_sync_env env = { .wq = job->sync_wq, .words = &job->words };

	lockdep_assert_held(&job->cc->ctl);
	/* All bits were made durable by the snapshot, and none has been set since. */
	cc_writer_set_env(layer, &env);
	layer->streamed = true;
	job->lower = true;
	mutex_lock(&job->target_lock);
	job->target = layer;
	mutex_unlock(&job->target_lock);
}

/*
 * Reads of the guest that began when it was the top may still look at its map. (None of them waits
 * for the job.)
 */
static void cc_lower_leave(struct cc_job *job)
{
	struct cowchain *cc = job->cc;
	struct cc_layer *layer;

	/* A suspend meanwhile has to find it, and sync it. */
	wait_event(cc->wait, !READ_ONCE(cc->nr_retired));
	layer = cc_target_take(job);
	layer->streamed = false;
	cc_top_detach(layer);
	cc_layer_end_writing(layer);
}

void cc_lower_release(struct cc_job *job)
{
	if (job->target && job->target->twin)
		cc_target_close(job);
	else if (job->target)
		cc_lower_leave(job);
}
