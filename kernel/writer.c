// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes bits durable: dirty tracking and the two-phase commit.
 *
 * 1. Take the words of dirty blocks.  Every bit in them describes data that has
 *    already been written.
 * 2. Flush the data device: that data is durable now.
 * 3. Write the words to their L2 blocks, one 64-bit store per entry.
 * 4. Flush the metadata device.
 *
 * A crash before 3 leaves old bits, a crash during 3 a mixture of old and new
 * ones; each bit on disk describes durable data in any case.  A bit set after
 * 1 makes its block dirty again and goes into the next commit.
 *
 * One ordered work item does it, so that concurrent flushes share a commit.
 */
#include <linux/slab.h>

#include "load.h"
#include "mode.h"
#include "top.h"
#include "view.h"
#include "writer.h"

/* The words of one block. */
#define CC_WORDS_BYTES	(CC_BLOCK_CLUSTERS * sizeof(u64))

/* Somebody who sleeps until the next commit is done. */
struct cc_commit_waiter {
	struct list_head list;
	struct completion done;
	int error;
};

/*
 * The mark is set and cleared together with the place on the list, so that a
 * flush that finds the list empty has nothing to wait for.
 */
static void cc_dirty_add(struct cowchain *cc, struct cc_block *b)
{
	lockdep_assert_held(&cc->lock);
	if (b->dirty)
		return;
	list_add_tail(&b->list, &cc->dirty);
	cc->nr_dirty++;
	cc->told = false;
	WRITE_ONCE(b->dirty, true);
}

void cc_block_dirty(struct cowchain *cc, struct cc_block *b)
{
	unsigned long flags;
	bool first;

	/* Who sees the mark holds b->lock: the words are taken after that. */
	lockdep_assert_held(&b->lock);
	if (READ_ONCE(b->dirty))
		return;
	spin_lock_irqsave(&cc->lock, flags);
	first = list_empty(&cc->dirty);
	cc_dirty_add(cc, b);
	spin_unlock_irqrestore(&cc->lock, flags);
	if (first)
		queue_delayed_work(cc->commit_wq, &cc->commit_work,
				   msecs_to_jiffies(cc->commit_ms));
}

/* See cc_commit_owed(): something was written that no flush has spoken of. */
void cc_commit_untell(struct cowchain *cc)
{
	unsigned long flags;

	spin_lock_irqsave(&cc->lock, flags);
	cc->told = false;
	spin_unlock_irqrestore(&cc->lock, flags);
}

bool cc_commit_needed(struct cowchain *cc)
{
	unsigned long flags;
	bool needed;

	spin_lock_irqsave(&cc->lock, flags);
	needed = cc->commit_busy || cc->owed || !list_empty(&cc->dirty);
	spin_unlock_irqrestore(&cc->lock, flags);
	return needed;
}

void cc_commit_bio(struct cowchain *cc, struct bio *bio)
{
	unsigned long flags;

	spin_lock_irqsave(&cc->lock, flags);
	bio_list_add(&cc->commit_bios, bio);
	spin_unlock_irqrestore(&cc->lock, flags);
	mod_delayed_work(cc->commit_wq, &cc->commit_work, 0);
}

int cc_commit_wait(struct cowchain *cc)
{
	struct cc_commit_waiter waiter = { .error = 0 };

	init_completion(&waiter.done);
	spin_lock_irq(&cc->lock);
	list_add_tail(&waiter.list, &cc->commit_waiters);
	spin_unlock_irq(&cc->lock);
	mod_delayed_work(cc->commit_wq, &cc->commit_work, 0);
	wait_for_completion(&waiter.done);
	return waiter.error;
}

/* --------------------------------------------------------------- the steps */

/* From dirty to taken in one step: the block can't be evicted in between. */
static struct cc_block *cc_dirty_pop(struct cowchain *cc, u64 *words)
{
	struct cc_block *b;

	spin_lock_irq(&cc->lock);
	b = list_first_entry_or_null(&cc->dirty, struct cc_block, list);
	if (b) {
		list_del_init(&b->list);
		cc->nr_dirty--;
		b->taken = words;
		WRITE_ONCE(b->dirty, false);
	}
	spin_unlock_irq(&cc->lock);
	return b;
}

/* The block is committed, or dirty once more if that has failed. */
static void cc_untake(struct cowchain *cc, struct cc_block *b, bool again)
{
	spin_lock_irq(&cc->lock);
	if (again)
		cc_dirty_add(cc, b);
	b->taken = NULL;
	spin_unlock_irq(&cc->lock);
}

static void cc_take_words(struct cc_block *b, u64 *words)
{
	u32 i;

	/* The mark has been cleared: see cc_block_set(). */
	spin_lock_irq(&b->lock);
	for (i = 0; i < CC_BLOCK_CLUSTERS; i++)
		words[i] = atomic64_read(&b->bm[i]);
	spin_unlock_irq(&b->lock);
}

/*
 * Take up to @max dirty blocks, as many as there is memory for; the first one
 * always, with the reserve.  Return: how many.
 */
static u32 cc_take_dirty(struct cowchain *cc, struct list_head *taken, u32 max)
{
	struct cc_block *b;
	u64 *words;
	u32 n;

	for (n = 0; n < max; n++) {
		if (!n)
			words = mempool_alloc(&cc->words_pool, GFP_NOIO);
		else
			words = kmalloc(CC_WORDS_BYTES, GFP_NOWAIT | __GFP_NOWARN);
		if (!words)
			break;
		b = cc_dirty_pop(cc, words);
		if (!b) {
			mempool_free(words, &cc->words_pool);
			break;
		}
		cc_take_words(b, words);
		list_add_tail(&b->commit_list, taken);
	}
	return n;
}

static void cc_put_taken(struct cowchain *cc, struct list_head *taken, bool again)
{
	struct cc_block *b, *next;

	list_for_each_entry_safe(b, next, taken, commit_list) {
		u64 *words = b->taken;

		list_del(&b->commit_list);
		cc_untake(cc, b, again);
		/* Refills the reserve first; the words are plain kmalloc memory. */
		mempool_free(words, &cc->words_pool);
	}
}

/* A bad entry stays as it is: it is never repaired in place. */
static void cc_store_words(struct cc_block *b, struct qcow2_l2_ext_entry *e)
{
	struct cc_top *top = b->top;
	struct cc_layer *layer = top->layer;
	u32 i;

	for (i = 0; i < CC_BLOCK_CLUSTERS; i++) {
		u64 guest = ((u64)b->index * CC_BLOCK_CLUSTERS + i) << layer->q2.cluster_bits;
		__be64 word = cpu_to_be64(b->taken[i]);

		if (guest >= layer->q2.size || (b->bad && test_bit(i, b->bad)))
			continue;
		if (layer->q2.data_file && !e[i].descriptor && b->taken[i])
			WRITE_ONCE(e[i].descriptor, cpu_to_be64(guest | QCOW2_COPIED));
		if (e[i].bitmap != word)
			WRITE_ONCE(e[i].bitmap, word);
	}
}

/*
 * After an error, too, all that was stored is written: the bits are good, and
 * no dirty buffer may be left for when the client is destroyed, since another
 * table may use the layer by then.
 */
static int cc_write_taken(struct list_head *taken)
{
	struct cc_block *b = list_first_entry(taken, struct cc_block, commit_list);
	struct cc_layer *layer = b->top->layer;
	struct dm_buffer *buffer;
	int r = 0, r2;
	void *p;

	mutex_lock(&layer->meta_lock);
	list_for_each_entry(b, taken, commit_list) {
		p = dm_bufio_read(layer->bufio, cc_layer_l2_block(layer, b->index), &buffer);
		if (IS_ERR(p)) {
			r = PTR_ERR(p);
			break;
		}
		cc_store_words(b, p);
		dm_bufio_mark_buffer_dirty(buffer);
		dm_bufio_release(buffer);
	}
	r2 = dm_bufio_write_dirty_buffers(layer->bufio);
	mutex_unlock(&layer->meta_lock);
	return r ? r : r2;
}

/*
 * All dirty blocks belong to one top: a snapshot commits the old one before it
 * lets writes to the new one begin.
 */
static struct block_device *cc_commit_bdev(struct cowchain *cc, struct list_head *taken)
{
	struct block_device *bdev;

	if (!list_empty(taken)) {
		struct cc_block *b = list_first_entry(taken, struct cc_block, commit_list);

		return cc_data_bdev(b->top->layer);
	}
	rcu_read_lock();
	bdev = cc_data_bdev(cc_view_active(rcu_dereference(cc->view)));
	rcu_read_unlock();
	return bdev;
}

static u32 cc_nr_dirty(struct cowchain *cc)
{
	u32 nr;

	spin_lock_irq(&cc->lock);
	nr = cc->nr_dirty;
	spin_unlock_irq(&cc->lock);
	return nr;
}

/*
 * @flush: somebody waits, so the data device is flushed even if no bit is
 * dirty.  Only blocks that are dirty now have to be committed, so this ends
 * however fast others get dirty meanwhile.
 */
static int cc_commit(struct cowchain *cc, bool flush)
{
	u32 left = cc_nr_dirty(cc), n;
	LIST_HEAD(taken);
	int r = 0;

	if (cc->commit_failed)
		return -EIO;
	while (!r && (left || flush)) {
		n = cc_take_dirty(cc, &taken, left);
		r = blkdev_issue_flush(cc_commit_bdev(cc, &taken));
		if (!r && n)
			r = cc_write_taken(&taken);
		cc_put_taken(cc, &taken, r);
		flush = false;
		left = n ? left - n : 0;
	}
	return r;
}

/* ----------------------------------------------------------- the work item */

/* Bits that can't be made durable must not be added to: no more writes. */
static void cc_commit_failed(struct cowchain *cc, int error)
{
	char why[64];

	WRITE_ONCE(cc->commit_failed, true);
	/* Unless it is a flush of the guest that gets the error: cc_commit_done(). */
	cc_commit_untell(cc);
	snprintf(why, sizeof(why), "cannot commit metadata: error %d", error);
	cc_set_mode(cc, CC_RO, why);
}

/*
 * A guest that goes on after its table was loaded again reads what is on disk,
 * which may be older than what it has written.  If no flush has told it so,
 * the first one of the new table does.
 */
static int cc_commit_owed(struct cowchain *cc)
{
	bool owed;

	spin_lock_irq(&cc->lock);
	owed = cc->owed;
	cc->owed = false;
	spin_unlock_irq(&cc->lock);
	if (!owed)
		return 0;
	cc_err(cc, "a flush fails: the table before this one has lost writes");
	return -EIO;
}

bool cc_commit_owes(struct cowchain *cc)
{
	bool owes;

	spin_lock_irq(&cc->lock);
	owes = cc->owed || (cc->commit_failed && !cc->told);
	spin_unlock_irq(&cc->lock);
	return owes;
}

static void cc_commit_done(struct cowchain *cc, struct bio_list *bios,
			   struct list_head *waiters, int r)
{
	struct cc_commit_waiter *w, *next;
	int told = r;
	struct bio *bio;

	if (!bio_list_empty(bios)) {
		if (!r)
			told = cc_commit_owed(cc);
		spin_lock_irq(&cc->lock);
		cc->told = told;
		spin_unlock_irq(&cc->lock);
	}
	while ((bio = bio_list_pop(bios))) {
		bio->bi_status = errno_to_blk_status(told);
		bio_endio(bio);
	}
	list_for_each_entry_safe(w, next, waiters, list) {
		w->error = r;
		complete(&w->done);
	}
}

static void cc_commit_work(struct work_struct *work)
{
	struct cowchain *cc = container_of(to_delayed_work(work), struct cowchain, commit_work);
	struct bio_list bios;
	LIST_HEAD(waiters);
	bool again;
	int r;

	bio_list_init(&bios);
	spin_lock_irq(&cc->lock);
	bio_list_merge(&bios, &cc->commit_bios);
	bio_list_init(&cc->commit_bios);
	list_splice_init(&cc->commit_waiters, &waiters);
	cc->commit_busy = true;
	spin_unlock_irq(&cc->lock);

	r = cc_commit(cc, !bio_list_empty(&bios) || !list_empty(&waiters));
	if (r && !cc->commit_failed)
		cc_commit_failed(cc, r);

	spin_lock_irq(&cc->lock);
	cc->commit_busy = false;
	again = !list_empty(&cc->dirty) && !r;
	spin_unlock_irq(&cc->lock);
	if (again)
		queue_delayed_work(cc->commit_wq, &cc->commit_work,
				   msecs_to_jiffies(cc->commit_ms));
	cc_commit_done(cc, &bios, &waiters, r);
}

void cc_commit_init(struct cowchain *cc)
{
	INIT_LIST_HEAD(&cc->dirty);
	INIT_LIST_HEAD(&cc->commit_waiters);
	bio_list_init(&cc->commit_bios);
	INIT_DELAYED_WORK(&cc->commit_work, cc_commit_work);
}

/*
 * Always with a flush: what was written over what was there has no bits, and if
 * the device could not keep that, the next flush would be the one that hears of
 * it, which may be the next table's before it shows anything to the guest.
 */
int cc_commit_suspend(struct cowchain *cc)
{
	struct cc_layer *active = cc_view_active(cc_view_current(cc));
	int r = cc_commit_wait(cc);

	/* Then there was none. */
	if (cc->commit_failed && blkdev_issue_flush(cc_data_bdev(active)))
		cc_commit_untell(cc);
	cancel_delayed_work_sync(&cc->commit_work);
	return r;
}

/*
 * Only if there are bits: another table may use the layers by now, whose
 * committer has to hear what its devices say.
 */
void cc_commit_stop(struct cowchain *cc)
{
	bool bits;

	spin_lock_irq(&cc->lock);
	bits = cc->commit_busy || !list_empty(&cc->dirty);
	spin_unlock_irq(&cc->lock);
	if (bits)
		cc_commit_wait(cc);
	cancel_delayed_work_sync(&cc->commit_work);
}
