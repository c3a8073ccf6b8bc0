// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table line: parser and printer side by side, so that what one prints the other reads.
 *
 *   <#features> [<feature> ...] <#layers> {<kind> <dev> <data dev|->}...
 *
 * The tails of layers are features; see tail.c.
 */
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "identity.h"
#include "load.h"
#include "mode.h"
#include "table.h"
#include "tail.h"
#include "view.h"

#define CC_DEFAULT_COMMIT_MS	1000
#define CC_MAX_COMMIT_MS	1000	/* the documentation promises a second */

static int cc_table_fail(struct cowchain *cc, int error, char *why)
{
	cc->ti->error = why;
	cc_err(cc, "%s", why);
	return error;
}

/* ----------------------------------------------------------------- parsing */

/* Features without a value. */
static bool *cc_feature(struct cowchain *cc, unsigned int i, const char **name)
{
	static const char * const names[] = {
		"no_discard_passdown", "allow_sealed", "ignore_identity", "no_auto_resume",
	};
	bool *flags[] = {
		&cc->no_discard_passdown, &cc->allow_sealed, &cc->ignore_identity,
		&cc->no_auto_resume,
	};

	if (i >= ARRAY_SIZE(names))
		return NULL;
	*name = names[i];
	return flags[i];
}

static bool cc_set_feature(struct cowchain *cc, const char *word)
{
	const char *name;
	unsigned int i;
	bool *flag;

	for (i = 0; (flag = cc_feature(cc, i, &name)); i++) {
		if (!strcmp(word, name)) {
			*flag = true;
			return true;
		}
	}
	return false;
}

/* Both tails of each layer, and what else there is. */
#define CC_MAX_FEATURES	(2 * 3 * CC_MAX_LAYERS + 6)

static int cc_parse_features(struct cowchain *cc, struct dm_arg_set *as, struct list_head *tails)
{
	static const struct dm_arg args[] = {
		{ 0, CC_MAX_FEATURES, "bad number of features" },
		{ 1, CC_MAX_COMMIT_MS, "commit_ms must be 1 to 1000" },
	};
	unsigned int nr;
	int r = dm_read_arg_group(args, as, &nr, &cc->ti->error);

	if (r)
		return cc_table_fail(cc, r, cc->ti->error);
	while (nr--) {
		const char *word = dm_shift_arg(as);

		if (cc_set_feature(cc, word)) {
			continue;
		} else if (!strcmp(word, "commit_ms") && nr) {
			r = dm_read_arg(args + 1, as, &cc->commit_ms, &cc->ti->error);
			if (r)
				return cc_table_fail(cc, r, cc->ti->error);
			nr--;
		} else if ((!strcmp(word, "tail") || !strcmp(word, "data_tail")) && nr >= 2) {
			r = cc_tail_parse(cc, as, tails, word[0] == 'd');
			if (r)
				return r;
			nr -= 2;
		} else {
			cc_err(cc, "unknown feature %s", word);
			cc->ti->error = "unknown feature";
			return -EINVAL;
		}
	}
	return 0;
}

/* A raw layer can only be at the bottom, and it cannot be written. */
static int cc_check_kind(struct cowchain *cc, enum cc_kind kind, unsigned int i, unsigned int nr,
			 const char *data)
{
	if (kind != CC_RAW)
		return 0;
	if (i)
		return cc_table_fail(cc, -EINVAL, "a raw layer can only be the first");
	if (data)
		return cc_table_fail(cc, -EINVAL, "a raw layer has no data device");
	if (nr == 1 && !cc->read_only)
		return cc_table_fail(cc, -EINVAL,
				     "a raw layer cannot be the top of a writable chain");
	return 0;
}

/* Check before the old table stops what would otherwise fail the resume. */
static int cc_check_top(struct cowchain *cc, struct cc_layer *layer)
{
	if (layer->writable) {
		cc->sub_bytes = 1U << layer->q2.sub_bits;
		cc->cluster_bytes = 1U << layer->q2.cluster_bits;
	}
	return cc_check_size(cc, layer);
}

static int cc_parse_layer(struct cowchain *cc, struct dm_arg_set *as, unsigned int i,
			  unsigned int nr, struct list_head *tails)
{
	const char *word = dm_shift_arg(as);
	const char *path = dm_shift_arg(as);
	const char *data = dm_shift_arg(as);
	struct cc_layer *layer;
	enum cc_kind kind;
	int r;

	if (cc_parse_kind(word, &kind)) {
		cc_err(cc, "unknown kind of layer %s: use raw or qcow2", word);
		cc->ti->error = "unknown kind of layer";
		return -EINVAL;
	}
	if (!strcmp(data, "-"))
		data = NULL;
	r = cc_check_kind(cc, kind, i, nr, data);
	if (r)
		return r;
	layer = cc_layer_open(cc, kind, path, data, i == nr - 1 && !cc->read_only);
	if (IS_ERR(layer)) {
		cc->ti->error = "cannot open a layer";
		return PTR_ERR(layer);
	}
	layer->slot = i;
	cc->opened[cc->nr_opened++] = layer;
	r = cc_tail_assign(layer, i, tails);
	if (r)
		return r;
	r = cc_layer_probe(layer);
	if (!r && i == nr - 1)
		r = cc_check_top(cc, layer);
	if (r)
		cc->ti->error = "a layer cannot be used";
	return r;
}

static int cc_parse_line(struct cowchain *cc, struct dm_arg_set *as, struct list_head *tails)
{
	static const struct dm_arg layers_arg = {
		1, CC_MAX_LAYERS, "number of layers must be 1 to 255"
	};
	unsigned int i, nr;
	int r = cc_parse_features(cc, as, tails);

	if (r)
		return r;
	r = dm_read_arg(&layers_arg, as, &nr, &cc->ti->error);
	if (r)
		return cc_table_fail(cc, r, cc->ti->error);
	if (as->argc != nr * 3)
		return cc_table_fail(cc, -EINVAL, "each layer needs <kind> <dev> <data dev|->");
	cc->opened = kcalloc(nr, sizeof(*cc->opened), GFP_KERNEL);
	if (!cc->opened)
		return cc_table_fail(cc, -ENOMEM, "out of memory");
	for (i = 0; i < nr && !r; i++)
		r = cc_parse_layer(cc, as, i, nr, tails);
	if (!r && !list_empty(tails))
		r = cc_table_fail(cc, -EINVAL,
				  "there is a tail without a layer, or a second one of a layer");
	return r;
}

int cc_table_parse(struct cowchain *cc, unsigned int argc, char **argv)
{
	struct dm_arg_set as = { .argc = argc, .argv = argv };
	LIST_HEAD(tails);
	int r;

	cc->commit_ms = CC_DEFAULT_COMMIT_MS;
	r = cc_parse_line(cc, &as, &tails);
	cc_tail_free_list(&tails);
	if (!r && !cc->read_only) {
		r = cc_ident_check(cc, cc->opened, cc->nr_opened);
		if (r)
			cc->ti->error = "a layer cannot be used";
	}
	return r;
}

/* ---------------------------------------------------------------- printing */

static unsigned int cc_print_layers(struct cc_layer **layers, unsigned int nr, char *result,
				    unsigned int maxlen)
{
	unsigned int i, sz = 0;

	DMEMIT(" %u", nr);
	for (i = 0; i < nr; i++)
		DMEMIT(" %s %s %s", cc_kind_name(layers[i]->kind), layers[i]->name,
		       layers[i]->data ? layers[i]->data_name : "-");
	return sz;
}

static unsigned int cc_print_features(struct cowchain *cc, struct cc_layer **layers,
				      unsigned int nr_layers, char *result, unsigned int maxlen)
{
	unsigned int i, sz = 0;
	unsigned int nr = 2 * (cc->commit_ms != CC_DEFAULT_COMMIT_MS) +
			  cc_tail_words(layers, nr_layers);
	const char *name;
	bool *flag;

	for (i = 0; (flag = cc_feature(cc, i, &name)); i++)
		nr += *flag;
	DMEMIT("%u", nr);
	for (i = 0; (flag = cc_feature(cc, i, &name)); i++)
		if (*flag)
			DMEMIT(" %s", name);
	if (cc->commit_ms != CC_DEFAULT_COMMIT_MS)
		DMEMIT(" commit_ms %u", cc->commit_ms);
	return sz + cc_tail_print(layers, nr_layers, result + sz, maxlen - sz);
}

static unsigned int cc_print_chain(struct cowchain *cc, struct cc_layer **layers, unsigned int nr,
				   char *result, unsigned int maxlen)
{
	unsigned int sz = cc_print_features(cc, layers, nr, result, maxlen);

	return sz + cc_print_layers(layers, nr, result + sz, maxlen - sz);
}

unsigned int cc_table_print(struct cowchain *cc, char *result, unsigned int maxlen)
{
	struct cc_view *view;
	unsigned int sz;

	rcu_read_lock();
	view = rcu_dereference(cc->view);
	if (view)
		sz = cc_print_chain(cc, view->layer, view->nr, result, maxlen);
	else
		sz = cc_print_chain(cc, cc->opened, cc->nr_opened, result, maxlen);
	rcu_read_unlock();
	return sz;
}

static unsigned int cc_ima_layers(struct cc_layer **layers, unsigned int nr, char *result,
				  unsigned int maxlen)
{
	unsigned int i, sz = 0;

	DMEMIT(",nr_layers=%u", nr);
	for (i = 0; i < nr; i++) {
		DMEMIT(",kind_%u=%s,dev_%u=%s", i, cc_kind_name(layers[i]->kind), i,
		       layers[i]->name);
		if (layers[i]->data)
			DMEMIT(",data_%u=%s", i, layers[i]->data_name);
		sz += cc_tail_ima(layers[i], i, result + sz, maxlen - sz);
	}
	return sz;
}

unsigned int cc_table_ima(struct cowchain *cc, char *result, unsigned int maxlen)
{
	struct cc_view *view;
	unsigned int i, sz = 0;
	const char *name;
	bool *flag;

	DMEMIT_TARGET_NAME_VERSION(cc->ti->type);
	for (i = 0; (flag = cc_feature(cc, i, &name)); i++)
		DMEMIT(",%s=%c", name, *flag ? 'y' : 'n');
	DMEMIT(",commit_ms=%u", cc->commit_ms);
	rcu_read_lock();
	view = rcu_dereference(cc->view);
	if (view)
		sz += cc_ima_layers(view->layer, view->nr, result + sz, maxlen - sz);
	else
		sz += cc_ima_layers(cc->opened, cc->nr_opened, result + sz, maxlen - sz);
	rcu_read_unlock();
	DMEMIT(";");
	return sz;
}

/* ---------------------------------------------------------- naming a layer */

static bool cc_layer_is(const struct cc_layer *layer, dev_t dev)
{
	return layer->bdev->bd_dev == dev;
}

/* Number in the chain, MAJ:MIN or path. */
int cc_find_layer(struct cowchain *cc, const char *word)
{
	struct cc_view *view = cc_view_current(cc);
	unsigned int n;
	dev_t dev;
	int r;

	lockdep_assert_held(&cc->ctl);
	if (!kstrtouint(word, 10, &n))
		return n < view->nr ? (int)n : -EINVAL;
	if (word[0] != '/' && !strchr(word, ':'))
		return -EINVAL;
	r = cc_check_live(cc);
	if (!r)
		r = cc_path_dev(word, &dev);
	if (r)
		return r;
	for (n = 0; n < view->nr; n++)
		if (cc_layer_is(view->layer[n], dev))
			return n;
	return -ENODEV;
}
