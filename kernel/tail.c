// SPDX-License-Identifier: GPL-2.0-only
/*
 * The last bytes of a file that its block device does not show.
 */
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat.h"
#include "layer.h"
#include "tail.h"

void cc_tail_read(const struct cc_tail *tail, u64 offset, void *buf, size_t len)
{
	size_t n = 0;

	if (tail && offset < tail->len) {
		n = min_t(u64, len, tail->len - offset);
		memcpy(buf, tail->bytes + offset, n);
	}
	memset(buf + n, 0, len - n);
}

static unsigned int cc_tail_len(const struct cc_tail *tail)
{
	return tail ? tail->len : 0;
}

u64 cc_meta_bytes(const struct cc_layer *layer)
{
	return layer->dev_bytes + cc_tail_len(layer->tail);
}

u64 cc_data_bytes(const struct cc_layer *layer)
{
	return layer->data_bytes + cc_tail_len(cc_data_tail(layer));
}

/* ----------------------------------------------------------- the table line */

/* A tail whose layer has not been opened yet. */
struct cc_tail_arg {
	struct list_head list;
	unsigned int layer;
	bool data;
	struct cc_tail *tail;
};

static void cc_tail_arg_free(struct cc_tail_arg *arg)
{
	kfree(arg->tail);
	kfree(arg);
}

static int cc_tail_fail(struct cowchain *cc, char *why)
{
	cc->ti->error = why;
	cc_err(cc, "%s", why);
	return -EINVAL;
}

static int cc_tail_parse_hex(struct cowchain *cc, const char *hex, struct cc_tail *tail)
{
	size_t len = strlen(hex);

	if (!len || len % 2 || len / 2 >= SECTOR_SIZE || hex2bin(tail->bytes, hex, len / 2))
		return cc_tail_fail(cc, "a tail must be 1 to 511 bytes in hexadecimal");
	tail->len = len / 2;
	return 0;
}

int cc_tail_parse(struct cowchain *cc, struct dm_arg_set *as, struct list_head *tails, bool data)
{
	static const struct dm_arg layer_arg = {
		0, CC_MAX_LAYERS - 1, "layer of a tail must be 0 to 254"
	};
	struct cc_tail_arg *arg = kzalloc(sizeof(*arg), GFP_KERNEL);
	int r;

	if (!arg)
		return -ENOMEM;
	arg->data = data;
	arg->tail = kzalloc(sizeof(*arg->tail), GFP_KERNEL);
	if (!arg->tail) {
		kfree(arg);
		return -ENOMEM;
	}
	r = dm_read_arg(&layer_arg, as, &arg->layer, &cc->ti->error);
	if (r)
		cc_err(cc, "%s", cc->ti->error);
	else
		r = cc_tail_parse_hex(cc, dm_shift_arg(as), arg->tail);
	if (r)
		cc_tail_arg_free(arg);
	else
		list_add_tail(&arg->list, tails);
	return r;
}

static struct cc_tail *cc_tail_take(struct list_head *tails, unsigned int layer, bool data)
{
	struct cc_tail_arg *arg;
	struct cc_tail *tail;

	list_for_each_entry(arg, tails, list) {
		if (arg->layer != layer || arg->data != data)
			continue;
		tail = arg->tail;
		list_del(&arg->list);
		kfree(arg);
		return tail;
	}
	return NULL;
}

int cc_tail_assign(struct cc_layer *layer, unsigned int i, struct list_head *tails)
{
	layer->tail = cc_tail_take(tails, i, false);
	layer->data_tail = layer->data ? cc_tail_take(tails, i, true) : NULL;
	if (layer->writable && (layer->tail || layer->data_tail))
		return cc_tail_fail(layer->cc, "the top is written, so it cannot have a tail");
	return 0;
}

void cc_tail_free_list(struct list_head *tails)
{
	struct cc_tail_arg *arg, *next;

	list_for_each_entry_safe(arg, next, tails, list) {
		cc_tail_arg_free(arg);
	}
}

unsigned int cc_tail_words(struct cc_layer **layers, unsigned int nr)
{
	unsigned int i, words = 0;

	for (i = 0; i < nr; i++)
		words += 3 * (!!layers[i]->tail + !!layers[i]->data_tail);
	return words;
}

static unsigned int cc_tail_print_hex(const struct cc_tail *tail, char *result,
				      unsigned int maxlen)
{
	unsigned int n, sz = 0;

	for (n = 0; n < tail->len; n++)
		DMEMIT("%02x", tail->bytes[n]);
	return sz;
}

static unsigned int cc_tail_print_one(const char *name, unsigned int i, const struct cc_tail *tail,
				      char *result, unsigned int maxlen)
{
	unsigned int sz = 0;

	if (!tail)
		return 0;
	DMEMIT(" %s %u ", name, i);
	return sz + cc_tail_print_hex(tail, result + sz, maxlen - sz);
}

unsigned int cc_tail_print(struct cc_layer **layers, unsigned int nr, char *result,
			   unsigned int maxlen)
{
	unsigned int i, sz = 0;

	for (i = 0; i < nr; i++) {
		sz += cc_tail_print_one("tail", i, layers[i]->tail, result + sz, maxlen - sz);
		sz += cc_tail_print_one("data_tail", i, layers[i]->data_tail, result + sz,
					maxlen - sz);
	}
	return sz;
}

unsigned int cc_tail_ima(const struct cc_layer *layer, unsigned int i, char *result,
			 unsigned int maxlen)
{
	unsigned int sz = 0;

	if (layer->tail) {
		DMEMIT(",tail_%u=", i);
		sz += cc_tail_print_hex(layer->tail, result + sz, maxlen - sz);
	}
	if (layer->data_tail) {
		DMEMIT(",data_tail_%u=", i);
		sz += cc_tail_print_hex(layer->data_tail, result + sz, maxlen - sz);
	}
	return sz;
}
