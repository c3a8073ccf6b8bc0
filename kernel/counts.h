/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters of a layer, or of the mapped device itself.
 *
 * They belong to the mapped device and the number of the layer's device, not to a table or a view:
 * a table that is loaded again counts on, and so does a layer that a snapshot or a commit gives
 * another place in the chain. They are gone when the last table that has the layer is.
 */
#ifndef COWCHAIN_COUNTS_H
#define COWCHAIN_COUNTS_H

#include <linux/list.h>
#include <linux/percpu.h>

#include "cowchain.h"

/*
 * What is counted. Reads and writes only while counting is on, see watch.h; the rest always, since
 * it is far more work than its counter. CC_COUNT_FLUSHES are those of the guest.
 */
enum cc_count {
	CC_COUNT_READS,
	CC_COUNT_READ_BYTES,
	CC_COUNT_WRITES,
	CC_COUNT_WRITE_BYTES,
	CC_COUNT_FILLS,
	CC_COUNT_FILL_BYTES,
	CC_COUNT_FLUSHES,
	CC_COUNT_UNPACK_HITS,
	CC_COUNT_UNPACK_MISSES,
	CC_NR_COUNTS,
};

struct cc_cpu_counts {
	u64 nr[CC_NR_COUNTS];
};

/**
 * struct cc_sync_counts - the syncs of a layer's writer; see writer.h.
 * @blocks: L2 blocks that were written.
 * @ns, @max_ns: how long they took, and the longest of them.
 */
struct cc_sync_counts {
	u64 nr;
	u64 errors;
	u64 blocks;
	u64 ns;
	u64 max_ns;
};

/**
 * struct cc_counts - the counters of one layer.
 * @dev: the device of the layer's metadata, or 0 for the mapped device.
 * @refs: tables that have the layer. Protected, like @hash, by the lock of the table of all.
 * @on: of the mapped device: reads and writes are counted. Changed under a lock of its own, read
 *	without, with READ_ONCE().
 * @cpu: counted since they exist. Nobody ever sets them back, so that counting needs no lock.
 * @base: what @cpu was in all at the last reset. Protected by @lock, like @sync.
 *
 * The other fields are never changed.
 */
struct cc_counts {
	struct hlist_node hash;
	struct mapped_device *md;
	dev_t dev;
	unsigned int refs;
	bool on;
	struct cc_cpu_counts __percpu *cpu;
	spinlock_t lock;		/* @base, @sync; innermost */
	u64 base[CC_NR_COUNTS];
	struct cc_sync_counts sync;
};

/*
 * The counters of the layer on @dev in the tables of @md; 0: those of @md itself. Context: process.
 * Return: NULL without memory.
 */
struct cc_counts *cc_counts_get(struct mapped_device *md, dev_t dev);

/* Tolerates NULL. Context: process. */
void cc_counts_put(struct cc_counts *counts);

/* Context: any. */
static inline void cc_counts_add(struct cc_counts *counts, enum cc_count what, u64 n)
{
	this_cpu_add(counts->cpu->nr[what], n);
}

/* A sync has ended: @blocks were written in @ns nanoseconds. Context: process. */
void cc_counts_sync(struct cc_counts *counts, u32 blocks, u64 ns, int error);

/*
 * Let reads and writes of a mapped device be counted, or not; what was counted stays. Context:
 * process, in a message only while the device is not suspended.
 */
void cc_counts_switch(struct cc_counts *counts, bool on);

/* Begin with zero. Context: process. */
void cc_counts_reset(struct cc_counts *counts);

/*
 * What was counted since the last reset. What is counted meanwhile may be missing. Context:
 * process.
 */
void cc_counts_read(struct cc_counts *counts, u64 nr[CC_NR_COUNTS], struct cc_sync_counts *sync);

#endif /* COWCHAIN_COUNTS_H */
