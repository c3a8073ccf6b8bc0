// SPDX-License-Identifier: GPL-2.0-only
/*
 * The writer of a layer: dirty tracking and the two-phase sync that makes bits durable. (The name
 * "commit" is left to the job that copies a layer into the one below it.)
 *
 * 1. Take the words of dirty blocks. Every bit in them describes data that has already been
 *    written.
 * 2. Flush the data device: that data is durable now.
 * 3. Write the words to their L2 blocks, one 64-bit store per entry.
 * 4. Flush the metadata device.
 *
 * A crash before 3 leaves old bits, a crash during 3 a mixture of old and new ones; each bit on
 * disk describes durable data in any case. A bit set after 1 makes its block dirty again and goes
 * into the next sync.
 *
 * One work item does it, so that concurrent flushes share a sync.
 *
 * Memory: a dirty block stays in the top map, and its words are copied. So a sync starts before its
 * timer is due when many blocks are dirty; whoever has to load a block waits if too many are loaded
 * for being dirty, see cc_top_load(); and a sync works in rounds of CC_ROUND_BLOCKS. Without memory
 * for more, a round has the blocks of the reserve, which is full whenever a round begins: only one
 * sync that uses it runs at a time, and each round gives back what it took. So a sync ends without
 * any memory but that and dm-bufio's reserved buffer.
 *
 * The top has a writer, and so has the layer that a commit writes to: that one has a workqueue and
 * a reserve of its own, so that neither waits for the other's devices, and what it has not made
 * durable when its job ends is not needed. A snapshot exchanges the top's writer together with the
 * top, and so does a commit of the top at its end. Nothing can be left behind in the old one:
 *
 * - A bio that waits in @bios, or that will set bits, holds its view as a writer of it until its
 *   end. These are drained before the new view is published. Bios that arrive meanwhile wait
 *   without a view and get the new one.
 * - A sleeper in @waiters is a discard with FUA, which holds the view in the same way, or has
 *   cc->ctl, as the snapshot does: the end of a job, a header, a suspend. Or it only wants space
 *   given back (cc_trims_finish()), and excludes snapshots, or is one.
 * - No sync that a sleeper may have asked for is cancelled: it would sleep for ever. Where no sync
 *   may be left for later, what is queued is run. See cc_writer_suspend().
 * - What is left in @trims is forgotten: see trim.c.
 * - The last sync of the old writer begins when no bit can be set any more. If it fails, the old
 *   view stays. So after it no block is dirty, @told does not matter since nothing has failed, and
 *   the timer finds nothing to do.
 * - What is left is @owed, which is handed over while nobody can ask for it; see
 *   cc_snapshot_switch() and cc_active_switch().
 *
 * A view that a stream has shortened has the same top and so the same writer.
 */
#include <linux/slab.h>

#include "counts.h"
#include "load.h"
#include "top.h"
#include "trace.h"
#include "writer.h"

/* Blocks that a sync takes between two flushes: 1 MiB of words, 2 MiB of dm-bufio's buffers. */
#define CC_ROUND_BLOCKS	512U

/* A sleeper that waits until the next sync is done; @list is empty from then on. */
struct cc_sync_waiter {
	struct list_head list;
	struct completion done;
	int error;
};

/* ------------------------------------------------------------ dirty blocks */

/*
 * The mark is set and cleared together with the place on the list, so that a flush that finds the
 * list empty has nothing to wait for.
 */
static void cc_dirty_add(struct cc_writer *w, struct cc_block *b)
{
	lockdep_assert_held(&w->lock);
	if (b->dirty)
		return;
	list_add_tail(&b->list, &w->dirty);
	w->nr_dirty++;
	w->told = false;
	WRITE_ONCE(b->dirty, true);
}

/* Let the timer run; a sync that is due earlier stays. */
static void cc_sync_later(struct cc_writer *w)
{
	queue_delayed_work(w->env.wq, &w->work, msecs_to_jiffies(w->cc->commit_ms));
}

static void cc_sync_now(struct cc_writer *w)
{
	mod_delayed_work(w->env.wq, &w->work, 0);
}

void cc_writer_dirty(struct cc_writer *w, struct cc_block *b)
{
	unsigned long flags;
	bool first, many;

	/* The words are taken under b->lock, after the mark has been cleared. */
	lockdep_assert_held(&b->lock);
	if (READ_ONCE(b->dirty))
		return;
	spin_lock_irqsave(&w->lock, flags);
	first = list_empty(&w->dirty);
	cc_dirty_add(w, b);
	/* Once is enough: a sync that ends with so many starts another, see cc_sync_work(). */
	many = w->nr_dirty == READ_ONCE(w->many);
	spin_unlock_irqrestore(&w->lock, flags);
	if (many)
		cc_sync_now(w);
	else if (first)
		cc_sync_later(w);
}

bool cc_writer_has(struct cc_writer *w, const struct cc_block *b)
{
	bool has;

	spin_lock_irq(&w->lock);
	has = b->dirty || b->taken;
	spin_unlock_irq(&w->lock);
	return has;
}

/* ---------------------------------------------------------- asking for a sync */

/* A sync that runs now may have taken the words before their last change. */
u64 cc_writer_next_sync(struct cc_writer *w, const struct cc_block *b)
{
	u64 next = 0;

	spin_lock_irq(&w->lock);
	if (b->dirty || b->taken)
		next = w->started + 1;
	spin_unlock_irq(&w->lock);
	return next;
}

u64 cc_writer_synced(struct cc_writer *w)
{
	u64 synced;

	spin_lock_irq(&w->lock);
	synced = w->synced;
	spin_unlock_irq(&w->lock);
	return synced;
}

void cc_writer_start_sync(struct cc_writer *w, bool now)
{
	if (now)
		cc_sync_now(w);
	else
		cc_sync_later(w);
}

bool cc_writer_needs_sync(struct cc_writer *w)
{
	unsigned long flags;
	bool needed;

	spin_lock_irqsave(&w->lock, flags);
	needed = w->busy || w->owed || !list_empty(&w->dirty);
	spin_unlock_irqrestore(&w->lock, flags);
	return needed;
}

void cc_writer_sync_bio(struct cc_writer *w, struct bio *bio)
{
	unsigned long flags;

	/*
	 * Once it is queued, a sync that runs already may end the bio and with it the last
	 * reference to the view. A snapshot frees the old writer a grace period later.
	 */
	rcu_read_lock();
	spin_lock_irqsave(&w->lock, flags);
	bio_list_add(&w->bios, bio);
	spin_unlock_irqrestore(&w->lock, flags);
	cc_sync_now(w);
	rcu_read_unlock();
}

static void cc_sync_ask(struct cc_writer *w, struct cc_sync_waiter *waiter)
{
	waiter->error = 0;
	init_completion(&waiter->done);
	spin_lock_irq(&w->lock);
	list_add_tail(&waiter->list, &w->waiters);
	spin_unlock_irq(&w->lock);
	cc_sync_now(w);
}

int cc_writer_sync(struct cc_writer *w)
{
	struct cc_sync_waiter waiter;

	cc_sync_ask(w, &waiter);
	wait_for_completion(&waiter.done);
	return waiter.error;
}

int cc_writer_try_sync(struct cc_writer *w, unsigned long timeout)
{
	struct cc_sync_waiter waiter;
	bool done;
	long left;

	cc_sync_ask(w, &waiter);
	left = wait_for_completion_killable_timeout(&waiter.done, timeout);
	/* A sync that runs already has this waiter on a list of its own, under the same lock. */
	spin_lock_irq(&w->lock);
	done = list_empty(&waiter.list);
	list_del_init(&waiter.list);
	spin_unlock_irq(&w->lock);
	if (done)
		return waiter.error;
	return left ? -EINTR : -EBUSY;
}

/* A round is over, or a sync; some blocks may be evicted now, or never. */
static void cc_round_done(struct cc_writer *w)
{
	spin_lock_irq(&w->lock);
	WRITE_ONCE(w->rounds, w->rounds + 1);
	spin_unlock_irq(&w->lock);
	wake_up_all(&w->relief);
}

/*
 * The sync that is asked for here counts even if nothing is left for it to do, so this ends. It
 * waits for the devices of the top alone.
 */
void cc_writer_relieve(struct cc_writer *w)
{
	bool dirty;
	u32 seen;

	spin_lock_irq(&w->lock);
	dirty = w->busy || !list_empty(&w->dirty);
	seen = w->rounds;
	spin_unlock_irq(&w->lock);
	if (!dirty || READ_ONCE(w->failed))
		return;
	cc_sync_now(w);
	wait_event(w->relief, READ_ONCE(w->rounds) != seen);
}

/* --------------------------------------------------------------- the steps */

/* From dirty to taken in one step: the block can't be evicted in between. */
static struct cc_block *cc_dirty_pop(struct cc_writer *w, u64 *words)
{
	struct cc_block *b;

	spin_lock_irq(&w->lock);
	b = list_first_entry_or_null(&w->dirty, struct cc_block, list);
	if (b) {
		list_del_init(&b->list);
		w->nr_dirty--;
		b->taken = words;
		WRITE_ONCE(b->dirty, false);
	}
	spin_unlock_irq(&w->lock);
	return b;
}

/* The block is on disk, or dirty once more if that has failed. */
static void cc_untake(struct cc_writer *w, struct cc_block *b, bool again)
{
	spin_lock_irq(&w->lock);
	if (again)
		cc_dirty_add(w, b);
	b->taken = NULL;
	spin_unlock_irq(&w->lock);
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
 * Take up to @max dirty blocks, as many as there is memory for. The reserve is there for one round
 * at a time, so the first of a round always gets its words.
 *
 * Return: how many.
 */
static u32 cc_take_dirty(struct cc_writer *w, struct list_head *taken, u32 max)
{
	mempool_t *pool = w->env.words;
	struct cc_block *b;
	u64 *words;
	u32 n;

	for (n = 0; n < max; n++) {
		words = mempool_alloc(pool, n ? GFP_NOWAIT | __GFP_NOWARN : GFP_NOIO);
		if (!words)
			break;
		b = cc_dirty_pop(w, words);
		if (!b) {
			mempool_free(words, pool);
			break;
		}
		cc_take_words(b, words);
		list_add_tail(&b->sync_list, taken);
	}
	return n;
}

static void cc_put_taken(struct cc_writer *w, struct list_head *taken, bool again)
{
	struct cc_block *b, *next;

	list_for_each_entry_safe(b, next, taken, sync_list) {
		u64 *words = b->taken;

		list_del(&b->sync_list);
		cc_untake(w, b, again);
		mempool_free(words, w->env.words);
	}
}

/* A bad entry stays as it is: it is never repaired in place. */
static void cc_store_words(struct cc_block *b, struct qcow2_l2_ext_entry *e)
{
	struct cc_layer *layer = b->top->layer;
	u32 i;

	for (i = 0; i < CC_BLOCK_CLUSTERS; i++) {
		u64 guest = cc_block_cluster(b->index, i) << layer->q2.cluster_bits;
		__be64 word = cpu_to_be64(b->taken[i]);

		if (guest >= layer->q2.size || (b->bad && test_bit(i, b->bad)))
			continue;
		if (layer->q2.data_file && !e[i].descriptor && b->taken[i])
			WRITE_ONCE(e[i].descriptor, cpu_to_be64(guest | QCOW2_COPIED));
		/* Pairs with cc_l2_words(). */
		smp_wmb();
		if (e[i].bitmap != word)
			WRITE_ONCE(e[i].bitmap, word);
	}
}

/*
 * Let those L2 blocks be read at once that dm-bufio no longer has. The error of a single one would
 * be hidden from cc_write_taken(), which reads it as fast.
 */
static void cc_prefetch_taken(struct cc_layer *layer, struct list_head *taken)
{
	struct blk_plug plug;
	struct cc_block *b;

	if (list_empty(taken) || list_is_singular(taken))
		return;
	blk_start_plug(&plug);
	list_for_each_entry(b, taken, sync_list) {
		sector_t block = cc_layer_l2_block(layer, b->index);

		dm_bufio_prefetch(layer->bufio, block, 1);
	}
	blk_finish_plug(&plug);
}

/*
 * Write all that was stored even after an error: the bits are good, and no dirty buffer may be left
 * for when the client is destroyed, since another table may use the layer by then.
 */
static int cc_write_taken(struct cc_layer *layer, struct list_head *taken)
{
	struct dm_buffer *buffer;
	struct cc_block *b;
	int r = 0, r2;
	void *p;

	mutex_lock(&layer->meta_lock);
	list_for_each_entry(b, taken, sync_list) {
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

static u32 cc_nr_dirty(struct cc_writer *w)
{
	u32 nr;

	spin_lock_irq(&w->lock);
	nr = w->nr_dirty;
	spin_unlock_irq(&w->lock);
	return nr;
}

/*
 * @flush: flush the data device even if no bit is dirty, because somebody waits.
 * @blocks: L2 blocks that it has taken.
 *
 * Only blocks that are dirty now have to be written, so this ends however fast others get dirty
 * meanwhile.
 */
static int cc_sync(struct cc_writer *w, bool flush, u32 *blocks)
{
	u32 left = cc_nr_dirty(w), n;
	LIST_HEAD(taken);
	int r = 0;

	if (w->failed)
		return -EIO;
	while (!r && (left || flush)) {
		n = cc_take_dirty(w, &taken, min(left, CC_ROUND_BLOCKS));
		cc_prefetch_taken(w->layer, &taken);
		r = blkdev_issue_flush(cc_data_bdev(w->layer));
		if (!r && n)
			r = cc_write_taken(w->layer, &taken);
		cc_put_taken(w, &taken, r);
		cc_round_done(w);
		flush = false;
		*blocks += n;
		left = n ? left - n : 0;
	}
	return r;
}

/* -------------------------------------------------------------- the work item */

void cc_writer_untell(struct cc_writer *w)
{
	unsigned long flags;

	spin_lock_irqsave(&w->lock, flags);
	w->told = false;
	spin_unlock_irqrestore(&w->lock, flags);
}

void cc_writer_set_owed(struct cc_writer *w, bool owed)
{
	spin_lock_irq(&w->lock);
	w->owed = owed;
	spin_unlock_irq(&w->lock);
}

/*
 * A guest that continues after its table was loaded again reads what is on disk, which may be older
 * than what it has written. If no flush has reported that, the first flush of the new table does.
 */
static int cc_sync_owed(struct cc_writer *w)
{
	bool owed;

	spin_lock_irq(&w->lock);
	owed = w->owed;
	w->owed = false;
	spin_unlock_irq(&w->lock);
	if (!owed)
		return 0;
	cc_err(w->cc, "a flush fails: the table before this one has lost writes");
	return -EIO;
}

int cc_writer_error(const struct cc_writer *w)
{
	/* Pairs with cc_sync_failed(). */
	return smp_load_acquire(&w->failed) ? w->error : -EIO;
}

bool cc_writer_owes(struct cc_writer *w)
{
	bool owes;

	spin_lock_irq(&w->lock);
	owes = w->owed || (w->failed && !w->told);
	spin_unlock_irq(&w->lock);
	return owes;
}

/* Bits that can't be made durable must not be added to. */
static void cc_sync_failed(struct cc_writer *w, int error)
{
	w->error = error;
	/* Pairs with cc_writer_error(). */
	smp_store_release(&w->failed, true);
	/* If a flush of the guest gets the error, cc_sync_done() sets it again. */
	cc_writer_untell(w);
	if (w->env.failed_fn)
		w->env.failed_fn(w->cc, error);
}

static void cc_sync_done(struct cc_writer *w, struct bio_list *bios, struct list_head *waiters,
			 int r)
{
	struct cc_sync_waiter *waiter;
	int told = r;
	struct bio *bio;

	if (!bio_list_empty(bios)) {
		if (!r)
			told = cc_sync_owed(w);
		spin_lock_irq(&w->lock);
		w->told = told;
		spin_unlock_irq(&w->lock);
	}
	while ((bio = bio_list_pop(bios))) {
		bio->bi_status = errno_to_blk_status(told);
		bio_endio(bio);
	}
	spin_lock_irq(&w->lock);
	while ((waiter = list_first_entry_or_null(waiters, struct cc_sync_waiter, list))) {
		list_del_init(&waiter->list);
		/* Also if it was another sync that failed. */
		waiter->error = r ? cc_writer_error(w) : 0;
		complete(&waiter->done);
	}
	spin_unlock_irq(&w->lock);
}

/* Before those who wait get the result. */
static void cc_sync_count(struct cc_writer *w, const struct bio_list *bios, u32 blocks, u64 ns,
			  int error)
{
	cc_counts_add(w->layer->counts, CC_COUNT_FLUSHES, bio_list_size(bios));
	cc_counts_sync(w->layer->counts, blocks, ns, error);
	trace_cowchain_sync(w->cc, w->layer, blocks, ns, error);
}

static void cc_sync_work(struct work_struct *work)
{
	struct cc_writer *w = container_of(to_delayed_work(work), struct cc_writer, work);
	struct bio_list bios;
	LIST_HEAD(waiters);
	bool asked, again, many;
	u64 begin = ktime_get_ns(), nr;
	u32 blocks = 0;
	int r;

	bio_list_init(&bios);
	spin_lock_irq(&w->lock);
	bio_list_merge(&bios, &w->bios);
	bio_list_init(&w->bios);
	list_splice_init(&w->waiters, &waiters);
	asked = !bio_list_empty(&bios) || !list_empty(&waiters);
	w->busy = true;
	nr = ++w->started;
	spin_unlock_irq(&w->lock);

	r = cc_sync(w, asked, &blocks);
	if (asked || blocks || r)
		cc_sync_count(w, &bios, blocks, ktime_get_ns() - begin, r);
	if (r && !w->failed)
		cc_sync_failed(w, r);

	spin_lock_irq(&w->lock);
	w->busy = false;
	if (!r)
		w->synced = nr;
	again = !list_empty(&w->dirty) && !r;
	many = w->nr_dirty >= READ_ONCE(w->many);
	spin_unlock_irq(&w->lock);
	if (again && many)
		cc_sync_now(w);
	else if (again)
		cc_sync_later(w);
	cc_round_done(w);
	/* Also after an error: then there is nothing to wait for any more. */
	if (READ_ONCE(w->trims.nr))
		queue_work(w->cc->discard_wq, &w->trims.work);
	cc_sync_done(w, &bios, &waiters, r);
}

/* ---------------------------------------------------------------------- life */

int cc_writer_attach(struct cc_layer *layer, const struct cc_sync_env *env)
{
	struct cc_writer *w = kzalloc(sizeof(*w), GFP_KERNEL);

	if (!w)
		return -ENOMEM;
	w->cc = layer->cc;
	w->layer = layer;
	w->env = *env;
	w->many = U32_MAX;
	init_waitqueue_head(&w->relief);
	spin_lock_init(&w->lock);
	INIT_LIST_HEAD(&w->dirty);
	INIT_LIST_HEAD(&w->waiters);
	bio_list_init(&w->bios);
	INIT_DELAYED_WORK(&w->work, cc_sync_work);
	layer->writer = w;
	return 0;
}

void cc_writer_set_env(struct cc_layer *layer, const struct cc_sync_env *env)
{
	/* A timer may still be running for bits that another sync has written: it does no I/O. */
	flush_delayed_work(&layer->writer->work);
	layer->writer->env = *env;
}

void cc_writer_detach(struct cc_layer *layer)
{
	if (layer->writer)
		cancel_delayed_work_sync(&layer->writer->work);
	kfree(layer->writer);
	layer->writer = NULL;
}

/*
 * Always flush, even if no bit is dirty: overwrites set no bits, and an error of one would
 * otherwise surface in the next flush, which may be one of the next table before that shows
 * anything to the guest.
 *
 * No timer may be left for later, either. But what is queued may not be a timer: of a job's target,
 * a message that changes the record in its header may have asked meanwhile, and waits with cc->ctl,
 * which a suspend of the target does not hold. So it is run. A timer finds no block dirty, and does
 * no I/O.
 */
int cc_writer_suspend(struct cc_writer *w)
{
	int r = cc_writer_sync(w);

	/* A writer that has failed does not flush. */
	if (w->failed && blkdev_issue_flush(cc_data_bdev(w->layer)))
		cc_writer_untell(w);
	flush_delayed_work(&w->work);
	return r;
}

/*
 * Sync only if there are bits: another table may use the layer by now, and its writer needs the
 * errors of the device.
 */
void cc_writer_stop(struct cc_writer *w)
{
	bool bits;

	spin_lock_irq(&w->lock);
	bits = w->busy || !list_empty(&w->dirty);
	spin_unlock_irq(&w->lock);
	if (bits)
		cc_writer_sync(w);
	/* No message, job or bio is left that could wait for it. */
	cancel_delayed_work_sync(&w->work);
}
