// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first resume of a table: its layers are loaded and checked, and become the view.
 *
 * The device is suspended then, and whoever reclaims memory may wait for it, with any lock held
 * that allocations take: slab_mutex, that of percpu memory, that of the shrinkers (6.1), or as
 * kthreadd. So everything that takes these is made by the constructor: dm-bufio's clients with
 * their slab caches and shrinkers, the view with its counters, the maps, the writer. What is left
 * are small allocations that depend on no I/O (GFP_NOIO), and may fail.
 */
#include <linux/slab.h>

#include "activate.h"
#include "identity.h"
#include "load.h"
#include "registry.h"
#include "scan.h"
#include "view.h"
#include "writer.h"

static void cc_drop_layer(struct cc_layer *layer)
{
	cc_top_detach(layer);
	cc_layer_close(layer);
}

void cc_close_layers(struct cowchain *cc)
{
	struct cc_view *view = cc_view_current(cc);
	unsigned int i;

	if (!view) {
		cc_view_destroy(cc->first_view);
		cc->first_view = NULL;
		for (i = 0; i < cc->nr_opened; i++)
			cc_drop_layer(cc->opened[i]);
		return;
	}
	for (i = 0; i < view->nr; i++)
		cc_drop_layer(view->layer[i]);
	RCU_INIT_POINTER(cc->view, NULL);
	cc_view_destroy(view);
}

static int cc_load_layers(struct cowchain *cc)
{
	unsigned int i;
	int r = 0;

	for (i = 0; i < cc->nr_opened && !r; i++)
		if (!cc->opened[i]->ready)
			r = cc_layer_load(cc->opened[i]);
	return r;
}

/* A small image is validated and counted at once. */
static int cc_scan_first(struct cc_layer *active)
{
	if (!active->top)
		return 0;
	return cc_top_scan(active->top, 0, min_t(u32, active->top->nr_blocks,
						 CC_SCAN_SYNC_BLOCKS), CC_SCAN_PREPARED);
}

/*
 * The maps were made for what the constructor has found. Without a top, only what the table covers
 * is used of them.
 */
static int cc_check_shape(struct cc_view *view, struct cc_layer *active)
{
	if (!active->top || (active->sectors == view->sectors && cc_top_fits(active->top)))
		return 0;
	cc_layer_err(active, "its size has changed since the table was loaded: load the table again");
	return -EINVAL;
}

/* I/O to the layers below is cut where a layer ends. */
static int cc_check_all_blocks(struct cowchain *cc)
{
	unsigned int i, bytes = SECTOR_SIZE;
	int r = 0;

	for (i = 0; i < cc->nr_opened && !r; i++) {
		struct cc_layer *l = cc->opened[i];

		bytes = max3(bytes, bdev_logical_block_size(l->bdev),
			     bdev_logical_block_size(cc_data_bdev(l)));
		r = cc_check_blocks(cc, l, bytes);
	}
	return r;
}

/* What a former table of the device could not make durable is reported by a flush. */
static void cc_inherit_loss(struct cowchain *cc, struct cc_writer *writer)
{
	bool owed = false;
	unsigned int i;

	for (i = 0; i < cc->nr_opened; i++)
		if (cc_claim_owed(cc->md, cc->opened[i]->bdev->bd_dev))
			owed = true;
	cc_writer_set_owed(writer, owed);
}

static int cc_try_activate(struct cowchain *cc)
{
	struct cc_layer *active = cc->opened[cc->nr_opened - 1];
	int r;

	r = cc_load_layers(cc);
	if (!r)
		r = cc_check_size(cc, active);
	if (!r)
		r = cc_check_shape(cc->first_view, active);
	if (!r)
		r = cc_check_all_blocks(cc);
	if (!r)
		r = cc_scan_first(active);
	if (!r)
		r = cc_ident_activate(cc, cc->opened, cc->nr_opened);
	if (r)
		return r;
	if (!cc->read_only)
		cc_inherit_loss(cc, active->writer);
	rcu_assign_pointer(cc->view, cc->first_view);
	cc->first_view = NULL;
	return 0;
}

int cc_prepare_view(struct cowchain *cc)
{
	int r = cc->read_only ? 0 : cc_top_attach(cc->opened[cc->nr_opened - 1]);

	if (r)
		return r;
	cc->first_view = cc_view_create(cc, cc->opened, cc->nr_opened, NULL);
	return cc->first_view ? 0 : -ENOMEM;
}

int cc_activate(struct cowchain *cc)
{
	unsigned int i;
	int r;

	lockdep_assert_held(&cc->ctl);
	r = cc_try_activate(cc);
	/* Load everything again next time: the images may have been repaired by then. */
	for (i = 0; r && i < cc->nr_opened; i++) {
		if (cc->opened[i]->top)
			cc_top_reset(cc->opened[i]->top);
		cc_layer_unload(cc->opened[i]);
	}
	return r;
}
