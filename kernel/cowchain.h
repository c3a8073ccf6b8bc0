/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dm-cowchain: structures, lock order and prototypes, in the order in which
 * a bio meets them.
 *
 * Lock order, outermost first:
 *
 *   md->suspend_lock (dm core)
 *     cc->ctl			messages, suspend, the end of a job
 *       top->lock		loads and evicts blocks of the top map
 *         dm-bufio's client lock
 *       cells			in ascending cluster order, one block at a time
 *         b->lock		words of one block of the top map, irq-safe
 *           cc->lock		small lists and states, irq-safe, innermost
 *
 * A message handler runs inside dm's SRCU read section of the live table, so
 * nothing in here may ever wait for dm's own suspend.
 *
 * Contexts: "any" means also interrupt context; "process" may sleep.  All
 * allocations on the I/O path are GFP_NOIO and backed by a mempool where a
 * write needs them to progress.
 */
#ifndef COWCHAIN_H
#define COWCHAIN_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/device-mapper.h>
#include <linux/dm-bufio.h>
#include <linux/kthread.h>
#include <linux/mempool.h>
#include <linux/mutex.h>
#include <linux/percpu-refcount.h>
#include <linux/ratelimit.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "qcow2-ident.h"
#include "qcow2.h"

#define DM_MSG_PREFIX "cowchain"

#define CC_MAX_LAYERS		255
#define CC_L2_BLOCK_BYTES	4096
#define CC_BLOCK_CLUSTERS	256	/* extended L2 entries of one L2 block */
#define CC_BLOCK_SUBS		(CC_BLOCK_CLUSTERS * QCOW2_SUBCLUSTERS)
/*
 * Deferred bios are cut at this boundary: the smallest cluster a top can
 * have, so that such a bio never spans clusters, even if a snapshot changes
 * the top while it waits.
 */
#define CC_DEFER_SECTORS	((1U << 17) / SECTOR_SIZE)
#define CC_DISCARD_SECTORS	(CC_DEFER_SECTORS * CC_BLOCK_CLUSTERS)
#define CC_CHUNK_SHIFT		13	/* sectors: a chunk is 4 MiB */
#define CC_CHUNK_SECTORS	BIT(CC_CHUNK_SHIFT)
#define CC_NR_CELLS		1024
/* 64 TiB: the maps are arrays over the guest, 9 bytes of them a MiB. */
#define CC_MAX_SECTORS		BIT_ULL(37)

struct cowchain;
struct cc_cell;
struct cc_view;
struct cc_job;

/* Messages name the mapped device and, where there is one, the layer. */
#define cc_err(cc, fmt, ...) \
	DMERR("%s: " fmt, dm_table_device_name((cc)->ti->table), ##__VA_ARGS__)
#define cc_info(cc, fmt, ...) \
	DMINFO("%s: " fmt, dm_table_device_name((cc)->ti->table), ##__VA_ARGS__)
/* Limited by device: one with a bad layer does not silence the others.  Any. */
__printf(2, 3) void cc_err_limit(struct cowchain *cc, const char *fmt, ...);

/* ------------------------------------------------------------------ layers */

enum cc_kind { CC_RAW, CC_QCOW2 };

/**
 * struct cc_layer - one layer of the chain.
 * @slot: index in cc_view.slot[], stable for the life of the layer, so that
 *	dropping layers after a stream rebuilds nothing.
 * @data: where the data lies, if not on @dev (external data file).
 * @writer: the registry holds this layer for us as its writer.
 * @ready: the header has been read.
 * @q2: undefined for raw layers.
 * @sectors: virtual size.
 * @dev_bytes, @data_bytes: size of the device with the metadata and of the
 *	one with the data (often the same).
 * @l1: as on disk.
 * @tables: of a writer: where its L2 tables lie, for q2_decode_top().
 * @ident: from the header.  Changes under cc->ctl with cc->lock held, so that
 *	either is enough to read it.
 * @top: only while this is the active, writable layer.
 *
 * Immutable after cc_layer_load(), but for @ident, @top and @writer (cc->ctl).
 */
struct cc_layer {
	struct cowchain *cc;
	unsigned int slot;
	enum cc_kind kind;
	struct dm_dev *dev;
	struct dm_dev *data;
	bool writer;
	bool ready;
	struct q2_info q2;
	struct q2_ident ident;
	sector_t sectors;
	u64 dev_bytes;
	u64 data_bytes;
	__be64 *l1;
	u64 *tables;
	struct dm_bufio_client *bufio;
	struct mutex meta_lock;		/* dirty buffers, their write errors, their flush */
	unsigned int bufio_bits;	/* log2 of the block size in bytes */
	struct cc_top *top;
};

/* What a layer says about a range that begins at the position asked for. */
enum cc_state {
	CC_NONE,	/* the layer below provides it */
	CC_DATA,	/* data at a sector of the layer's data device */
	CC_ZERO,	/* reads as zeros */
	CC_BAD,		/* the metadata is wrong: EIO */
};

struct cc_run {
	sector_t start;
	sector_t end;
	sector_t sector;	/* of @start, for CC_DATA */
	enum cc_state state;
};

static inline struct block_device *cc_data_bdev(const struct cc_layer *layer)
{
	return layer->data ? layer->data->bdev : layer->dev->bdev;
}

/**
 * cc_layer_open() - get the devices of a layer and claim them.
 * @data_path: NULL if there is no separate data device.
 * @writer: claim for writing.
 *
 * Process.  Return: layer or ERR_PTR(-ENODEV, -EBUSY, ...); says why in the log.
 */
struct cc_layer *cc_layer_open(struct cowchain *cc, enum cc_kind kind,
			       const char *path, const char *data_path, bool writer);

/**
 * cc_layer_probe() - validate what a table that is being replaced never changes
 * so that it would matter: sizes and the header, but for the backing name.
 *
 * Process.  cc_layer_unload() it afterwards.  Return: 0 or -errno.
 */
int cc_layer_probe(struct cc_layer *layer);

/* The device that MAJ:MIN or a path names.  Process.  Return: 0 or -errno. */
int cc_path_dev(const char *path, dev_t *dev);

/* Read and validate header and L1 table.  Process.  Return: 0 or -errno. */
int cc_layer_load(struct cc_layer *layer);

/* Undo cc_layer_load(), so that it can be tried again.  Process. */
void cc_layer_unload(struct cc_layer *layer);

/* Give everything back.  Tolerates NULL and half-opened layers.  Process. */
void cc_layer_close(struct cc_layer *layer);

/**
 * cc_layer_seal() - the top is going to be a lower layer.
 *
 * From here on no table can be loaded that would write to it.  It is still
 * written until cc_layer_sealed(), from which on other chains may read it;
 * cc_layer_unseal() instead takes it back.
 *
 * Process.  Return: 0, or -EBUSY if a table that is loaded but not resumed
 * would write to it.
 */
int cc_layer_seal(struct cc_layer *layer);
void cc_layer_sealed(struct cc_layer *layer);
void cc_layer_unseal(struct cc_layer *layer);

/**
 * cc_layer_run() - the longest run of one state from @pos on.
 * @limit: ends there at the latest, > @pos.
 *
 * Process (reads L2 blocks).  Return: 0 or -errno if metadata is unreadable.
 */
int cc_layer_run(struct cc_layer *layer, sector_t pos, sector_t limit,
		 struct cc_run *run);

/**
 * cc_layer_backing() - copy the backing file name and format of a layer.
 * @name, @format: at least QCOW2_MAX_BACKING_NAME + 1 and 16 bytes; empty
 *	strings if the header says nothing.
 *
 * Process.  Return: 0 or -errno.
 */
int cc_layer_backing(struct cc_layer *layer, char *name, char *format);

/* Would cc_layer_set_backing() find room?  Process.  Return: 0 or -errno. */
int cc_layer_check_backing(struct cc_layer *layer, const char *name, const char *format);

/**
 * cc_layer_set_backing() - rewrite the header (DESIGN: what a writer must
 * keep, 6).
 * @name: NULL to drop the backing file.
 *
 * Process.  The new header is durable on return of 0.
 */
int cc_layer_set_backing(struct cc_layer *layer, const char *name, const char *format);

/* ----------------------------------------------------------------- top map */

/**
 * struct cc_block - the bitmap words of one 4 KiB L2 block of the top.
 * @bm: bits 0-31 allocated, 32-63 zero, in CPU order.
 * @pins: bios that will set bits; -1 while the block is being evicted.
 * @base: data sector of the first cluster if all follow each other.
 * @host: else the data sector of each cluster.
 * @bad: clusters whose entry is wrong, NULL if none; I/O to them fails.
 * @dirty: on cc->dirty: has bits that no commit has taken.
 * @list: in cc->dirty.  @commit_list: the blocks of the commit in progress.
 * @taken: words of the commit in progress.
 *
 * @dirty, @list and @taken change under cc->lock.
 *
 * Looked up under RCU.  A bit that says "allocated" is set after the data has
 * been written, so whoever sees it may read the data.
 */
struct cc_block {
	atomic64_t bm[CC_BLOCK_CLUSTERS];
	spinlock_t lock;		/* changes of @bm, irq-safe */
	atomic_t pins;
	bool referenced;
	bool dirty;
	u32 index;
	sector_t base;
	sector_t *host;
	unsigned long *bad;
	u64 *taken;
	struct cc_top *top;
	struct list_head list;
	struct list_head commit_list;
	struct rcu_head rcu;
};

/**
 * struct cc_top - the active layer's map, loaded block by block.
 * @counted: blocks that are part of @provided.  Protected by @lock.
 * @provided: subclusters that are allocated or zero, in the counted blocks.
 * @hand: where the clock that evicts goes on.
 */
struct cc_top {
	struct cc_layer *layer;
	unsigned int cluster_shift;	/* sectors */
	unsigned int sub_shift;
	unsigned int block_shift;
	u32 nr_blocks;
	struct mutex lock;		/* loading, evicting, @counted */
	struct cc_block __rcu **blocks;
	u32 nr_loaded;
	u32 hand;
	unsigned long *counted;
	u32 nr_counted;
	atomic64_t provided;
};

struct cc_top *cc_top_create(struct cc_layer *layer);
void cc_top_destroy(struct cc_top *top);

/**
 * cc_top_load() - find a block, read it if need be.
 *
 * Process.  Return: the block, pinned, or ERR_PTR(-EIO, -ENOMEM).
 */
struct cc_block *cc_top_load(struct cc_top *top, u32 index);

/**
 * cc_top_scan() - validate and count blocks that were not counted yet.
 * @from, @to: block numbers.
 * @empty: nothing may be allocated (a snapshot's new top).
 *
 * Process.  Return: 0, -EMEDIUMTYPE (not prepared, or not empty), -EIO,
 * -EINTR (the target is going away).
 */
int cc_top_scan(struct cc_top *top, u32 from, u32 to, bool empty);

/* Number of the bufio block that holds L2 block @index.  Any. */
sector_t cc_top_disk_block(struct cc_top *top, u32 index);

/*
 * So much of the L2 tables is validated on activation, which nobody wants to
 * wait for; it stays in dm-bufio's cache, what is validated later does not.
 */
#define CC_SCAN_SYNC_BLOCKS	((2U << 20) / CC_L2_BLOCK_BYTES)

/* Pin a block found under RCU.  Any.  False: it is being evicted. */
static inline bool cc_block_pin(struct cc_block *b)
{
	return atomic_add_unless(&b->pins, 1, -1);
}

static inline void cc_block_unpin(struct cc_block *b)
{
	atomic_dec(&b->pins);
}

/* Any, under rcu_read_lock() or pinned. */
static inline struct cc_block *cc_top_block(struct cc_top *top, u32 index)
{
	return rcu_dereference_check(top->blocks[index], lockdep_is_held(&top->lock));
}

static inline u32 cc_word_state(u64 word, enum cc_state state)
{
	switch (state) {
	case CC_DATA:
		return word;
	case CC_ZERO:
		return word >> 32;
	default:
		return ~((u32)word | (u32)(word >> 32));
	}
}

/* State of subcluster @sub of the block.  Any. */
enum cc_state cc_block_state(const struct cc_block *b, u32 sub);

/* How many subclusters from @first on, up to @end, have @state.  Any. */
u32 cc_block_run(const struct cc_block *b, u32 first, u32 end, enum cc_state state);

/**
 * cc_block_sector() - data sector of a position inside the block.
 * @rel: sectors from the start of the block.
 * @len: in: sectors wanted; out: how many follow each other there.
 */
sector_t cc_block_sector(const struct cc_block *b, u32 rel, u32 *len);

/* The first subcluster of [first, end) in a bad cluster, or @end.  Any. */
u32 cc_block_next_bad(const struct cc_block *b, u32 first, u32 end);
/* Any cluster of this subcluster range bad?  Any. */
bool cc_block_bad(const struct cc_block *b, u32 first, u32 end);

/**
 * cc_block_set() - change the state of a range to CC_DATA or CC_ZERO.
 *
 * One 64-bit store per cluster, so that no entry is ever both allocated and
 * zero.  Marks the block dirty and starts the commit timer.  Any; the
 * block is pinned and, for CC_ZERO, its cells are held exclusively.
 */
void cc_block_set(struct cowchain *cc, struct cc_block *b, u32 first, u32 end,
		  enum cc_state state);

/* --------------------------------------------------------------- below map */

/**
 * struct cc_extent - who provides what lies under the top.
 * @start: sector inside the chunk; an extent reaches to the next one's start.
 * @slot: the providing layer; undefined for CC_NONE (nobody provides it).
 */
struct cc_extent {
	sector_t sector;
	u16 start;
	u8 slot;
	u8 state;
};

/*
 * 4 MiB of the below map, immutable once published, looked up under RCU.  If
 * some metadata was @unreadable, that part is CC_BAD, and is cold for whoever
 * asks: errors are not cached.
 */
struct cc_chunk {
	struct rcu_head rcu;
	u32 nr;
	bool referenced;
	bool unreadable;
	struct cc_extent ext[];
};

/**
 * struct cc_below - cache of what lies under the top.
 *
 * The cost of a read does not depend on the depth of the chain: all layers
 * are asked once, when a chunk is resolved.  What a finished stream drops is
 * shadowed by the top's bits and so is never looked up again.
 */
struct cc_below {
	u32 nr_chunks;
	spinlock_t lock;		/* publish and evict */
	size_t bytes;
	u32 hand;
	refcount_t refs;		/* views that share it */
	struct cc_chunk __rcu *chunk[];
};

struct cc_below *cc_below_create(sector_t sectors);
void cc_below_put(struct cc_below *below);

/* What is found at a position, for a read. */
struct cc_piece {
	enum cc_state state;
	bool cold;			/* not resolved yet: cc_view_warm() */
	bool below;			/* the below map says so */
	bool fresh;			/* in: just loaded, so errors are true */
	u8 slot;
	struct block_device *bdev;
	sector_t sector;
	u32 len;			/* sectors */
};

/* Piece of the below map at @pos, at most @max sectors.  Any. */
void cc_below_piece(struct cc_view *view, sector_t pos, u32 max, struct cc_piece *p);

/**
 * cc_below_load() - resolve the chunk of @pos.  Process.  Return: 0 or -errno.
 */
int cc_below_load(struct cc_view *view, sector_t pos);

/* ------------------------------------------------------------------- views */

/* Those who use a view, and when they are gone. */
struct cc_users {
	struct percpu_ref ref;
	struct completion gone;
};

/**
 * struct cc_view - the chain as a bio sees it.
 * @writers: bios that are not reads.
 * @readers: bios that are, and all others that look at the chain for long.
 * @nr, @layer: the layers, base first.
 * @slot: the same by cc_layer.slot.
 * @top: NULL if the chain is read-only; then all layers are below.
 * @sectors: virtual size of the active layer.
 *
 * Every bio holds a reference from map to end_io, so that a layer is put only
 * when nobody reads from it any more.  A snapshot has to wait for writers: no
 * write may go to the old top once it is a lower layer; reads go on meanwhile.
 */
struct cc_view {
	struct cc_users writers;
	struct cc_users readers;
	struct cowchain *cc;
	struct cc_top *top;
	struct cc_below *below;
	sector_t sectors;
	unsigned int nr;
	struct cc_layer *layer[CC_MAX_LAYERS];
	struct cc_layer *slot[CC_MAX_LAYERS + 1];
};

static inline unsigned int cc_view_nr_below(const struct cc_view *view)
{
	return view->top ? view->nr - 1 : view->nr;
}

static inline struct cc_layer *cc_view_active(const struct cc_view *view)
{
	return view->layer[view->nr - 1];
}

/* @below: shared with another view if not NULL.  Process. */
struct cc_view *cc_view_create(struct cowchain *cc, struct cc_layer **layers,
			       unsigned int nr, struct cc_below *below);
void cc_view_destroy(struct cc_view *view);
/*
 * A reference to the current view: as a writer, who gets NULL while a snapshot
 * is taken, or as a reader.  Any.
 */
struct cc_view *cc_view_get(struct cowchain *cc, bool write);
static inline void cc_view_put(struct cc_view *view, bool write)
{
	percpu_ref_put(write ? &view->writers.ref : &view->readers.ref);
}

/* Kill the reference and wait until they are gone.  Process. */
void cc_users_drain(struct cc_users *users);

/*
 * Kill @view's references and wait until no bio uses it.  Status may still look
 * at it under RCU: synchronize_rcu() before anything is freed.  Process.
 */
void cc_view_drain(struct cc_view *view);

/* ------------------------------------------------------------- the target */

enum cc_mode { CC_RW, CC_RO, CC_FAIL };

/**
 * struct cowchain - one target.
 * @read_only: the mapped device was created read-only.
 * @opened: layers of the table line, base first, until the first resume made
 *	a view of them.
 * @view: the chain as it is.  Written under @ctl, read under RCU.
 * @paused: a snapshot is being taken: bios wait in @paused_bios.
 * @allow_sealed, @ignore_identity: see cc_ident_check().
 * @no_auto_resume: do not continue a job that was recorded.
 * @continue_job: the first resume has one to continue, in @continue_work.
 * @ctl: messages, suspend and the end of a job exclude each other.
 * @suspended: between postsuspend and resume.  Protected by @ctl.
 * @dirty, @nr_dirty: blocks with bits that no commit has taken yet.
 * @commit_busy: a commit is in progress.
 * @commit_bios: wait for the next commit, then end.
 * @commit_waiters: the same for sleepers.
 * @commit_failed: nothing is committed any more; only the committer sets it.
 * @told: a flush of the guest has failed since the last bit was set.
 * @owed: the next one has to, for what a former table has lost.
 * @mode: never goes back without a reload.
 * @base: slot of the layer selected as base, -1 for none.  Under @ctl.
 * @job: the running or the last job, NULL at first.  Under @ctl; @lock to read.
 */
struct cowchain {
	struct dm_target *ti;
	struct mapped_device *md;
	bool read_only;
	bool no_discard_passdown;
	bool allow_sealed;
	bool ignore_identity;
	bool no_auto_resume;
	unsigned int commit_ms;
	u32 discard_granularity;
	struct ratelimit_state log_limit;
	unsigned int nr_opened;
	struct cc_layer **opened;

	struct cc_view __rcu *view;
	struct mutex ctl;		/* see the lock order above */
	bool suspended;
	bool continue_job;
	int base;
	struct cc_job *job;

	struct workqueue_struct *wq;
	struct workqueue_struct *discard_wq;
	struct workqueue_struct *commit_wq;
	struct delayed_work commit_work;
	struct work_struct scan_work;
	struct work_struct continue_work;
	bool scan_stop;
	bool commit_failed;
	struct bio_set bs;
	struct bio_set split_bs;
	mempool_t page_pool;
	mempool_t words_pool;
	struct cc_cell *cells;

	spinlock_t lock;		/* innermost, irq-safe */
	/* Protected by @lock: */
	bool paused;
	struct bio_list paused_bios;
	struct list_head dirty;
	u32 nr_dirty;
	bool commit_busy;
	bool told;
	bool owed;
	struct bio_list commit_bios;
	struct list_head commit_waiters;
	enum cc_mode mode;
};

/* The current view.  The caller holds cc->ctl, or is what could replace it. */
static inline struct cc_view *cc_view_current(struct cowchain *cc)
{
	return rcu_dereference_protected(cc->view, 1);
}

/* Log, switch and raise an event.  Process. */
void cc_set_mode(struct cowchain *cc, enum cc_mode mode, const char *why);

/* The background count of the top; it holds a view while it runs.  Process. */
void cc_start_scan(struct cowchain *cc);
void cc_stop_scan(struct cowchain *cc);

/* ------------------------------------------------- the way of a bio: map.c */

/* Bits of cc_io.flags */
#define CC_IO_BITS	BIT(0)	/* set bits of @block when the write succeeded */
#define CC_IO_CELLS	BIT(1)	/* shared cells are held for that range */
#define CC_IO_COMMIT	BIT(2)	/* FUA: wait for a commit before it ends */
#define CC_IO_COMMITTED	BIT(3)	/* ... which has been done */

/**
 * struct cc_io - per bio.
 * @view: reference held, or NULL.
 * @block: pinned if CC_IO_BITS.
 * @first, @end: subclusters of @block that the write makes allocated.
 */
struct cc_io {
	struct cowchain *cc;
	struct cc_view *view;
	struct cc_block *block;
	u32 first;
	u32 end;
	u8 flags;
	struct bio *bio;
	struct work_struct work;
};

int cc_map(struct dm_target *ti, struct bio *bio);
int cc_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error);
/* Resubmit what arrived while the chain was paused.  Process. */
void cc_resume_bios(struct cowchain *cc, struct bio_list *bios);
/* Set up @io to set bits on success, and remap @bio to the top.  Any. */
void cc_remap_top(struct cc_io *io, struct cc_block *b, struct bio *bio, u32 rel);

/**
 * cc_read_piece() - what provides @pos: the top, a layer below, zeros.
 * @max: sectors wanted.
 *
 * Any.
 */
void cc_read_piece(struct cc_view *view, sector_t pos, u32 max, struct cc_piece *p);

/*
 * Load what cc_read_piece() found cold at @pos: the top's block (0), or with
 * that the below map (1), or -errno.  Process.
 */
int cc_view_warm(struct cc_view *view, sector_t pos);

/* -------------------------------------------------- slow paths: write.c, .. */

void cc_write_deferred(struct cc_io *io);
void cc_discard_deferred(struct cc_io *io);

/* io.c: synchronous I/O on pages.  Process. */

/* A set of bios that is waited for at once. */
struct cc_batch {
	atomic_t pending;
	blk_status_t status;
	struct completion done;
};

void cc_batch_init(struct cc_batch *batch);
/* @offset: bytes into pages[0]. */
void cc_batch_add(struct cowchain *cc, struct cc_batch *batch, struct block_device *bdev,
		  blk_opf_t opf, sector_t sector, struct page **pages,
		  unsigned int offset, unsigned int sectors);
int cc_batch_wait(struct cc_batch *batch);	/* 0 or -errno */

/**
 * cc_read_below() - read guest sectors as the layers below provide them.
 * @offset: bytes into pages[0] where they go.
 *
 * Return: 0 or -errno.
 */
int cc_read_below(struct cc_view *view, sector_t pos, unsigned int sectors,
		  struct page **pages, unsigned int offset);
/* Write pages to the top at a position inside block @b. */
int cc_write_top(struct cowchain *cc, struct cc_block *b, u32 rel, unsigned int sectors,
		 struct page **pages, unsigned int offset);
/* Write zeros; @unmap: that may free space.  0 or -errno. */
int cc_zero_device(struct cowchain *cc, struct block_device *bdev, sector_t sector, u32 sectors,
		   bool unmap);
/* Zeros to what subclusters [first, end) of @b have behind the image's end.  0 or -errno. */
int cc_zero_slack(struct cowchain *cc, struct cc_block *b, u32 first, u32 end);

/* ------------------------------------------------------- durability: writer.c */

void cc_commit_init(struct cowchain *cc);
/* Mark a pinned block dirty; b->lock is held.  Any. */
void cc_block_dirty(struct cowchain *cc, struct cc_block *b);
/* Is there anything that a flush has to commit?  Any. */
bool cc_commit_needed(struct cowchain *cc);
/* End @bio after the next commit, with its result.  Any. */
void cc_commit_bio(struct cowchain *cc, struct bio *bio);
/* Everything that completed before the call is durable after it. Process. */
int cc_commit_wait(struct cowchain *cc);
/* A last commit before another table may come; all I/O has ended.  0 or -errno.  Process. */
int cc_commit_suspend(struct cowchain *cc);
/* The same for a table that goes away.  Process. */
void cc_commit_stop(struct cowchain *cc);
/* After a commit has failed: a write has ended that no flush has failed for.  Any. */
void cc_commit_untell(struct cowchain *cc);
/* After that: have writes been lost that completed, and no flush has said so? */
bool cc_commit_owes(struct cowchain *cc);

/* --------------------------------- what jobs (job.h) and messages do to a chain */

/* A view without the layers between @base (index, -1: none) and the top. */
struct cc_view *cc_view_without(struct cc_view *view, int base);
/* Close the layers that @old has and @now has not; nobody uses them. */
void cc_view_close_dropped(struct cc_view *old, struct cc_view *now);

/* Is the layer fit to be the active one?  0 or -EFBIG. */
int cc_check_size(struct cowchain *cc, struct cc_layer *layer);
/* Fit for logical blocks of @bytes below it?  0 or -EINVAL, said why. */
int cc_check_blocks(struct cowchain *cc, struct cc_layer *layer, unsigned int bytes);
int cc_snapshot(struct cowchain *cc, enum cc_kind kind, const char *path,
		const char *data_path);

int cc_message(struct dm_target *ti, unsigned int argc, char **argv,
	       char *result, unsigned int maxlen);
void cc_status(struct dm_target *ti, status_type_t type, unsigned int flags,
	       char *result, unsigned int maxlen);

#endif /* COWCHAIN_H */
