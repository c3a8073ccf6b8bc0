// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters of a layer, or of the mapped device itself.
 *
 * A CPU adds to its own counters only, with this_cpu_add(), which interrupts cannot split, so that
 * counting takes no lock and shares no cache line. A reader adds them up. On a 32-bit machine it
 * may see half of an addition, as dm-stats does.
 */
#include <linux/delay.h>
#include <linux/hashtable.h>
#include <linux/slab.h>

#include "counts.h"
#include "trace.h"

/* The second is held while code is patched, with locks of the kernel's; see cc_counts_switch(). */
static DEFINE_SPINLOCK(cc_counts_lock);		/* the table, @refs */
static DEFINE_MUTEX(cc_counts_on_lock);		/* the lock of counting: @on, cc_watched */

/* There may be thousands of chains. */
static DEFINE_HASHTABLE(cc_counts_table, 10);

#define CC_PERCPU_TRIES	100	/* with a millisecond between */

/* As cc_users_init(): in a noio context the allocator may have none at once. */
static struct cc_cpu_counts __percpu *cc_counts_alloc_cpu(void)
{
	struct cc_cpu_counts __percpu *cpu;
	unsigned int tries = 0;

	for (;;) {
		cpu = alloc_percpu(struct cc_cpu_counts);
		if (cpu || tries++ == CC_PERCPU_TRIES)
			return cpu;
		usleep_range(1000, 2000);
	}
}

static void cc_counts_free(struct cc_counts *counts)
{
	free_percpu(counts->cpu);
	kfree(counts);
}

static struct cc_counts *cc_counts_alloc(struct mapped_device *md, dev_t dev)
{
	struct cc_counts *counts = kzalloc(sizeof(*counts), GFP_KERNEL);

	if (!counts)
		return NULL;
	counts->md = md;
	counts->dev = dev;
	spin_lock_init(&counts->lock);
	counts->cpu = cc_counts_alloc_cpu();
	if (!counts->cpu) {
		kfree(counts);
		return NULL;
	}
	return counts;
}

static unsigned long cc_counts_key(struct mapped_device *md, dev_t dev)
{
	return (unsigned long)md + dev;
}

static struct cc_counts *cc_counts_find(struct mapped_device *md, dev_t dev)
{
	struct cc_counts *counts;

	lockdep_assert_held(&cc_counts_lock);
	hash_for_each_possible(cc_counts_table, counts, hash, cc_counts_key(md, dev))
		if (counts->md == md && counts->dev == dev)
			return counts;
	return NULL;
}

/*
 * Memory is allocated before the lock is taken: nobody waits with it for memory, and so for I/O of
 * a device whose tables need it.
 */
struct cc_counts *cc_counts_get(struct mapped_device *md, dev_t dev)
{
	struct cc_counts *new = cc_counts_alloc(md, dev), *counts;

	if (!new)
		return NULL;
	spin_lock(&cc_counts_lock);
	counts = cc_counts_find(md, dev);
	if (!counts) {
		hash_add(cc_counts_table, &new->hash, cc_counts_key(md, dev));
		counts = new;
	}
	counts->refs++;
	spin_unlock(&cc_counts_lock);
	if (counts != new)
		cc_counts_free(new);
	return counts;
}

void cc_counts_put(struct cc_counts *counts)
{
	bool last;

	if (!counts)
		return;
	spin_lock(&cc_counts_lock);
	last = !--counts->refs;
	if (last)
		hash_del(&counts->hash);
	spin_unlock(&cc_counts_lock);
	if (!last)
		return;
	/* Nobody else has it. */
	if (counts->on)
		cc_counts_switch(counts, false);
	cc_counts_free(counts);
}

void cc_counts_sync(struct cc_counts *counts, u32 blocks, u64 ns, int error)
{
	struct cc_sync_counts *sync = &counts->sync;

	/* The layer may have two writers for a moment, of two tables. */
	spin_lock(&counts->lock);
	sync->nr++;
	sync->errors += !!error;
	sync->blocks += blocks;
	sync->ns += ns;
	sync->max_ns = max(sync->max_ns, ns);
	spin_unlock(&counts->lock);
}

/*
 * Patching code waits for whoever has the locks of CPU hotplug or of the kernel's text, and who may
 * wait for I/O. A message must be sure that this is not I/O of its device: see cc_check_live(). A
 * table that is destroyed holds nothing that a resume needs.
 */
void cc_counts_switch(struct cc_counts *counts, bool on)
{
	mutex_lock(&cc_counts_on_lock);
	if (on && !counts->on)
		static_branch_inc(&cc_watched);
	else if (!on && counts->on)
		static_branch_dec(&cc_watched);
	WRITE_ONCE(counts->on, on);
	mutex_unlock(&cc_counts_on_lock);
}

static void cc_counts_sum(struct cc_counts *counts, u64 nr[CC_NR_COUNTS])
{
	unsigned int i;
	int cpu;

	memset(nr, 0, CC_NR_COUNTS * sizeof(*nr));
	for_each_possible_cpu(cpu)
		for (i = 0; i < CC_NR_COUNTS; i++)
			nr[i] += READ_ONCE(per_cpu_ptr(counts->cpu, cpu)->nr[i]);
}

void cc_counts_reset(struct cc_counts *counts)
{
	spin_lock(&counts->lock);
	cc_counts_sum(counts, counts->base);
	memset(&counts->sync, 0, sizeof(counts->sync));
	spin_unlock(&counts->lock);
}

/* The sum is made with the lock, so that it is never less than the base of a reset. */
void cc_counts_read(struct cc_counts *counts, u64 nr[CC_NR_COUNTS], struct cc_sync_counts *sync)
{
	unsigned int i;

	spin_lock(&counts->lock);
	cc_counts_sum(counts, nr);
	for (i = 0; i < CC_NR_COUNTS; i++)
		nr[i] -= counts->base[i];
	*sync = counts->sync;
	spin_unlock(&counts->lock);
}
