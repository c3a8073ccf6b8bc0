// SPDX-License-Identifier: GPL-2.0-only
/*
 * Views of the chain: published, drained, released; see cowchain.h.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "cowchain.h"

static void cc_view_release(struct percpu_ref *ref)
{
	struct cc_view *view = container_of(ref, struct cc_view, ref);

	complete_all(&view->drained);
}

static void cc_view_set_layers(struct cc_view *view, struct cc_layer **layers, unsigned int nr)
{
	unsigned int i;

	view->nr = nr;
	for (i = 0; i < nr; i++) {
		view->layer[i] = layers[i];
		view->slot[layers[i]->slot] = layers[i];
	}
	view->sectors = cc_view_active(view)->sectors;
	view->top = cc_view_active(view)->top;
}

struct cc_view *cc_view_create(struct cowchain *cc, struct cc_layer **layers,
			       unsigned int nr, struct cc_below *below)
{
	struct cc_view *view = kvzalloc(sizeof(*view), GFP_KERNEL);

	if (!view)
		return NULL;
	view->cc = cc;
	init_completion(&view->drained);
	cc_view_set_layers(view, layers, nr);
	if (below) {
		refcount_inc(&below->refs);
		view->below = below;
	} else {
		view->below = cc_below_create(view->sectors);
	}
	if (!view->below ||
	    percpu_ref_init(&view->ref, cc_view_release, PERCPU_REF_ALLOW_REINIT,
			    GFP_KERNEL)) {
		cc_below_put(view->below);
		kvfree(view);
		return NULL;
	}
	return view;
}

void cc_view_destroy(struct cc_view *view)
{
	if (!view)
		return;
	percpu_ref_exit(&view->ref);
	cc_below_put(view->below);
	kvfree(view);
}

void cc_view_drain(struct cc_view *view)
{
	percpu_ref_kill(&view->ref);
	wait_for_completion(&view->drained);
}

/*
 * A finished stream publishes the new view before it kills the old one, so a
 * failed tryget means: look again.  A snapshot kills first, and sets paused
 * before that; then the caller has to wait.
 */
struct cc_view *cc_view_get(struct cowchain *cc)
{
	struct cc_view *view;

	do {
		rcu_read_lock();
		view = rcu_dereference(cc->view);
		if (view && percpu_ref_tryget_live_rcu(&view->ref)) {
			rcu_read_unlock();
			return view;
		}
		rcu_read_unlock();
	} while (view && !READ_ONCE(cc->paused));
	return NULL;
}

struct cc_view *cc_view_without(struct cc_view *view, int base)
{
	struct cc_layer **keep;
	struct cc_view *new;
	unsigned int i, nr = 0;

	keep = kcalloc(view->nr, sizeof(*keep), GFP_KERNEL);
	if (!keep)
		return NULL;
	for (i = 0; i < view->nr; i++)
		if ((int)i <= base || i == view->nr - 1)
			keep[nr++] = view->layer[i];
	new = cc_view_create(view->cc, keep, nr, view->below);
	kfree(keep);
	return new;
}

void cc_view_close_dropped(struct cc_view *old, struct cc_view *now)
{
	unsigned int i;

	for (i = 0; i < old->nr; i++)
		if (now->slot[old->layer[i]->slot] != old->layer[i])
			cc_layer_close(old->layer[i]);
}
