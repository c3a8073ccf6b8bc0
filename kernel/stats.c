// SPDX-License-Identifier: GPL-2.0-only
/*
 * The message "stats": shows the counters of a chain; see Documentation/dm-cowchain.rst.
 *
 * They are shown without cc->ctl, so that this works while a snapshot or a job takes long, and on a
 * device that is suspended. A reference to the view keeps its layers.
 */
#include <linux/string.h>

#include "counts.h"
#include "mode.h"
#include "stats.h"
#include "view.h"

static unsigned int cc_stats_layer(struct cc_layer *layer, char *result, unsigned int maxlen)
{
	static const char * const names[] = {
		[CC_COUNT_READS] = "reads",
		[CC_COUNT_READ_BYTES] = "read_bytes",
		[CC_COUNT_WRITES] = "writes",
		[CC_COUNT_WRITE_BYTES] = "write_bytes",
		[CC_COUNT_FILLS] = "fills",
		[CC_COUNT_FILL_BYTES] = "fill_bytes",
		[CC_COUNT_FLUSHES] = "flushes",
		[CC_COUNT_UNPACK_HITS] = "unpack_hits",
		[CC_COUNT_UNPACK_MISSES] = "unpack_misses",
	};
	struct cc_sync_counts sync;
	u64 nr[CC_NR_COUNTS];
	unsigned int sz = 0, i;

	cc_counts_read(layer->counts, nr, &sync);
	DMEMIT("\nlayer %s", layer->name);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		DMEMIT(" %s %llu", names[i], nr[i]);
	DMEMIT(" syncs %llu sync_errors %llu sync_blocks %llu sync_ns %llu sync_max_ns %llu",
	       sync.nr, sync.errors, sync.blocks, sync.ns, sync.max_ns);
	return sz;
}

int cc_stats_query(struct cowchain *cc, char *result, unsigned int maxlen)
{
	struct cc_view *view = cc_view_get(cc, false);
	struct cc_sync_counts sync;
	u64 nr[CC_NR_COUNTS];
	unsigned int sz = 0, i;

	cc_counts_read(cc->counts, nr, &sync);
	DMEMIT("unpack_hits %llu unpack_misses %llu on %d hole_reads %llu hole_bytes %llu",
	       nr[CC_COUNT_UNPACK_HITS], nr[CC_COUNT_UNPACK_MISSES], READ_ONCE(cc->counts->on),
	       nr[CC_COUNT_READS], nr[CC_COUNT_READ_BYTES]);
	/* A table that was never resumed has no chain yet. */
	if (view) {
		for (i = 0; i < view->nr; i++)
			sz += cc_stats_layer(view->layer[i], result + sz, maxlen - sz);
		cc_view_put(view, false);
	}
	/* tells dm that there is a result */
	return 1;
}

static void cc_stats_reset(struct cowchain *cc)
{
	struct cc_view *view = cc_view_current(cc);
	unsigned int i;

	lockdep_assert_held(&cc->ctl);
	cc_counts_reset(cc->counts);
	for (i = 0; i < view->nr; i++)
		cc_counts_reset(view->layer[i]->counts);
}

/*
 * Patching code takes locks of all the kernel, as that of CPU hotplug. Their holder may reclaim
 * memory, and wait for I/O of this device.
 */
static int cc_stats_switch(struct cowchain *cc, bool on)
{
	int r = cc_check_live(cc);

	if (!r)
		cc_counts_switch(cc->counts, on);
	return r;
}

int cc_stats_control(struct cowchain *cc, const char *word)
{
	if (!strcmp(word, "on"))
		return cc_stats_switch(cc, true);
	if (!strcmp(word, "off"))
		return cc_stats_switch(cc, false);
	if (strcmp(word, "reset")) {
		cc_err(cc, "stats takes on, off or reset, not %s", word);
		return -EINVAL;
	}
	cc_stats_reset(cc);
	return 0;
}
