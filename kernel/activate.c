// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first resume of a table: its layers are loaded and checked, and a view is made of them.
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

/* Load the top's map; a small image is validated and counted at once. */
static int cc_load_top(struct cowchain *cc, struct cc_layer *active)
{
	int r;

	if (cc->read_only || active->top)
		return 0;
	r = cc_top_attach(active);
	if (r)
		return r;
	return cc_top_scan(active->top, 0, min_t(u32, active->top->nr_blocks,
						 CC_SCAN_SYNC_BLOCKS), false);
}

/* I/O to the layers below is cut where a layer ends. */
static int cc_check_all_blocks(struct cowchain *cc)
{
	unsigned int i, bytes = SECTOR_SIZE;
	int r = 0;

	for (i = 0; i < cc->nr_opened && !r; i++) {
		struct cc_layer *l = cc->opened[i];

		bytes = max3(bytes, bdev_logical_block_size(l->dev->bdev),
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
		if (cc_claim_owed(cc->md, cc->opened[i]->dev->bdev->bd_dev))
			owed = true;
	cc_writer_set_owed(writer, owed);
}

static int cc_try_activate(struct cowchain *cc)
{
	struct cc_layer *active = cc->opened[cc->nr_opened - 1];
	struct cc_view *view;
	int r;

	r = cc_load_layers(cc);
	if (!r)
		r = cc_check_size(cc, active);
	if (!r)
		r = cc_check_all_blocks(cc);
	if (!r)
		r = cc_load_top(cc, active);
	if (!r)
		r = cc_ident_activate(cc, cc->opened, cc->nr_opened);
	if (r)
		return r;
	view = cc_view_create(cc, cc->opened, cc->nr_opened, NULL);
	if (!view)
		return -ENOMEM;
	if (!cc->read_only)
		cc_inherit_loss(cc, active->writer);
	rcu_assign_pointer(cc->view, view);
	return 0;
}

int cc_activate(struct cowchain *cc)
{
	unsigned int i;
	int r;

	lockdep_assert_held(&cc->ctl);
	r = cc_try_activate(cc);
	/* Load everything again next time: the images may have been repaired by then. */
	for (i = 0; r && i < cc->nr_opened; i++) {
		cc_top_detach(cc->opened[i]);
		cc_layer_unload(cc->opened[i]);
	}
	return r;
}
