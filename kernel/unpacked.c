// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compressed clusters of the layers: decompressed, and kept for a while.
 *
 * The cache is one for the module, so that it is bounded as a whole, and so that chains that share
 * a base share its clusters, too. It is looked up under RCU. It is evicted by a clock algorithm,
 * also if the kernel needs the memory. All of its memory is given only if there is some: otherwise
 * a cluster is decompressed for one reader, in memory that was set aside.
 *
 * What was set aside is taken in this order, by a task that has an entry of the cache or none:
 * the chain's pages (held while the layer is read: a layer that does not answer may hold up the
 * other compressed layers of its chain if there is no memory), then an unpacker (held while
 * something is computed or copied). So nobody who has an unpacker waits for anything.
 */
#include <linux/hashtable.h>
#include <linux/highmem.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "counts.h"
#include "mode.h"
#include "packed.h"
#include "qcow2-unpack.h"
#include "unpacked.h"
#include "unpacker.h"

static unsigned int cc_unpacked_kib = 65536;
module_param_named(unpacked_kib, cc_unpacked_kib, uint, 0644);
MODULE_PARM_DESC(unpacked_kib, "Maximum KiB of decompressed clusters that are kept in memory");

#define CC_HASH_BITS	12

/* There need not be any; see CC_GFP_CHUNK in below.c. */
#define CC_GFP_UNPACKED	(GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN)

enum cc_unpacked_state { CC_UNPACKING, CC_UNPACKED };

/*
 * struct cc_unpacked - a cluster in the cache.
 * @clock: in cc_cache.clock as long as it is in the hash table.
 * @refs: one for the hash table.
 * @state: wait for CC_UNPACKED; then @error says if @page has it.
 */
struct cc_unpacked {
	struct hlist_node hash;
	struct list_head clock;
	struct rcu_head rcu;
	refcount_t refs;
	struct cc_source *source;
	u64 packed;
	enum cc_unpacked_state state;
	int error;
	bool referenced;
	unsigned int nr_pages;
	struct page *page[];
};

static struct {
	spinlock_t lock;		/* innermost; also the sources' @nr */
	DECLARE_HASHTABLE(hash, CC_HASH_BITS);
	struct list_head clock;
	size_t pages;
	struct mutex sources_lock;	/* @sources and their @refs */
	struct list_head sources;
} cc_cache = {
	.lock = __SPIN_LOCK_UNLOCKED(cc_cache.lock),
	.clock = LIST_HEAD_INIT(cc_cache.clock),
	.sources_lock = __MUTEX_INITIALIZER(cc_cache.sources_lock),
	.sources = LIST_HEAD_INIT(cc_cache.sources),
};

/* ------------------------------------------------------------------ entries */

static u64 cc_unpacked_key(const struct cc_source *source, u64 packed)
{
	return packed ^ (unsigned long)source;
}

static void cc_unpacked_free(struct cc_unpacked *u)
{
	unsigned int i;

	for (i = 0; i < u->nr_pages && u->page[i]; i++)
		__free_page(u->page[i]);
	kfree_rcu(u, rcu);
}

static void cc_unpacked_unref(struct cc_unpacked *u)
{
	if (refcount_dec_and_test(&u->refs))
		cc_unpacked_free(u);
}

static struct cc_unpacked *cc_unpacked_alloc(struct cc_source *source, u64 packed)
{
	unsigned int i, nr = DIV_ROUND_UP(1UL << source->cluster_bits, PAGE_SIZE);
	struct cc_unpacked *u = kzalloc(struct_size(u, page, nr), CC_GFP_UNPACKED);

	if (!u)
		return NULL;
	/* One for the hash table, one for the caller. */
	refcount_set(&u->refs, 2);
	u->source = source;
	u->packed = packed;
	u->state = CC_UNPACKING;
	u->nr_pages = nr;
	for (i = 0; i < nr; i++) {
		u->page[i] = alloc_page(CC_GFP_UNPACKED | __GFP_HIGHMEM);
		if (!u->page[i]) {
			cc_unpacked_free(u);
			return NULL;
		}
	}
	return u;
}

/* Under RCU or with the lock held. What is found may have no reference left. */
static struct cc_unpacked *cc_unpacked_lookup(struct cc_source *source, u64 packed)
{
	u64 key = cc_unpacked_key(source, packed);
	struct cc_unpacked *u;

	hash_for_each_possible_rcu(cc_cache.hash, u, hash, key,
				   lockdep_is_held(&cc_cache.lock))
		if (u->source == source && u->packed == packed)
			return u;
	return NULL;
}

/* Take it out of the cache. The caller drops the hash table's reference. */
static void cc_unpacked_unhash(struct cc_unpacked *u)
{
	lockdep_assert_held(&cc_cache.lock);
	hash_del_rcu(&u->hash);
	list_del(&u->clock);
	cc_cache.pages -= u->nr_pages;
	u->source->nr--;
}

/* ----------------------------------------------------------------- eviction */

/* Move up to @max entries to @evicted until no more than @pages are left. */
static void cc_unpacked_evict(size_t pages, unsigned int max, struct list_head *evicted)
{
	struct cc_unpacked *u;

	lockdep_assert_held(&cc_cache.lock);
	while (cc_cache.pages > pages && max--) {
		u = list_first_entry(&cc_cache.clock, struct cc_unpacked, clock);
		if (READ_ONCE(u->state) == CC_UNPACKING || READ_ONCE(u->referenced)) {
			WRITE_ONCE(u->referenced, false);
			list_move_tail(&u->clock, &cc_cache.clock);
		} else {
			cc_unpacked_unhash(u);
			list_add(&u->clock, evicted);
		}
	}
}

static void cc_unpacked_drop_list(struct list_head *evicted)
{
	struct cc_unpacked *u, *next;

	list_for_each_entry_safe(u, next, evicted, clock) {
		cc_unpacked_unref(u);
	}
}

static unsigned long cc_unpacked_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	return READ_ONCE(cc_cache.pages);
}

static unsigned long cc_unpacked_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	LIST_HEAD(evicted);
	size_t before, now;

	spin_lock(&cc_cache.lock);
	before = cc_cache.pages;
	cc_unpacked_evict(before - min_t(size_t, before, sc->nr_to_scan), sc->nr_to_scan,
			  &evicted);
	now = cc_cache.pages;
	spin_unlock(&cc_cache.lock);
	cc_unpacked_drop_list(&evicted);
	return before == now ? SHRINK_STOP : before - now;
}

/* --------------------------------------------------------- looking up, adding */

/* Of the layer, and of all that the device ever had. */
static void cc_unpacked_used(struct cc_layer *layer, enum cc_count what)
{
	cc_counts_add(layer->counts, what, 1);
	cc_counts_add(layer->cc->counts, what, 1);
}

bool cc_unpacked_find(struct cc_layer *layer, u64 packed, struct cc_plain *plain)
{
	struct cc_unpacked *u;

	plain->unpacker = NULL;
	plain->cached = NULL;
	rcu_read_lock();
	u = cc_unpacked_lookup(layer->source, packed);
	/* Pairs with cc_unpacked_done(). */
	if (u && smp_load_acquire(&u->state) == CC_UNPACKED && !u->error &&
	    refcount_inc_not_zero(&u->refs))
		plain->cached = u;
	rcu_read_unlock();
	if (!plain->cached)
		return false;
	if (!READ_ONCE(u->referenced))
		WRITE_ONCE(u->referenced, true);
	cc_unpacked_used(layer, CC_COUNT_UNPACK_HITS);
	return true;
}

/* Who looks at how many to make room for one. */
#define CC_EVICT_STEPS	64

/*
 * Find the entry, or add one that the caller has to complete: @mine.
 *
 * Return: NULL if there is no memory for one.
 */
static struct cc_unpacked *cc_unpacked_begin(struct cc_source *source, u64 packed, bool *mine)
{
	size_t limit = (size_t)READ_ONCE(cc_unpacked_kib) << 10 >> PAGE_SHIFT;
	struct cc_unpacked *new = cc_unpacked_alloc(source, packed), *u;
	LIST_HEAD(evicted);

	spin_lock(&cc_cache.lock);
	u = cc_unpacked_lookup(source, packed);
	*mine = !u && new;
	if (u) {
		/* It is in the hash table, so there is a reference. */
		refcount_inc(&u->refs);
	} else if (new) {
		hash_add_rcu(cc_cache.hash, &new->hash, cc_unpacked_key(source, packed));
		list_add_tail(&new->clock, &cc_cache.clock);
		cc_cache.pages += new->nr_pages;
		source->nr++;
		cc_unpacked_evict(limit, CC_EVICT_STEPS, &evicted);
		u = new;
	}
	spin_unlock(&cc_cache.lock);
	if (new && !*mine)
		cc_unpacked_free(new);
	cc_unpacked_drop_list(&evicted);
	return u;
}

static void cc_unpacked_done(struct cc_unpacked *u, int error)
{
	u->error = error;
	if (error) {
		spin_lock(&cc_cache.lock);
		cc_unpacked_unhash(u);
		spin_unlock(&cc_cache.lock);
		cc_unpacked_unref(u);
	}
	/* Pairs with smp_load_acquire(): whoever sees the state sees the pages and the error. */
	smp_store_release(&u->state, CC_UNPACKED);
	/* Pairs with the one of whoever begins to wait: he sees the state, or we see him. */
	smp_mb();
	wake_up_var(&u->state);
}

/* ------------------------------------------------------------------- reading */

/* Read and decompress. Return: 0 with the cluster in (*out)->out, or -errno. */
static int cc_unpack(struct cc_layer *layer, u64 packed, struct cc_unpacker **out)
{
	u32 bits = layer->source->cluster_bits;
	struct cc_unpacker *u;
	struct cc_packed p;
	int r;

	r = cc_packed_read(layer, packed, &p);
	if (r)
		return r;
	u = cc_unpacker_get(bits);
	cc_packed_gather(layer, &p, u->in);
	cc_packed_free(layer, &p);
	r = q2_unpack(layer->source->compression, u->ws, u->in, p.len, u->out, 1U << bits);
	if (r) {
		cc_unpacker_put(u);
		cc_err_limit(layer->cc, "layer %s: the compressed cluster at 0x%llx is damaged",
			     layer->name, p.offset);
		return r;
	}
	*out = u;
	return 0;
}

static void cc_unpacked_fill(struct cc_unpacked *u, const u8 *from)
{
	u32 left = 1U << u->source->cluster_bits, n;
	unsigned int i;

	for (i = 0; left; i++, left -= n) {
		n = min_t(u32, left, PAGE_SIZE);
		memcpy_to_page(u->page[i], 0, from + (size_t)i * PAGE_SIZE, n);
	}
}

int cc_unpacked_get(struct cc_layer *layer, u64 packed, struct cc_plain *plain)
{
	struct cc_unpacked *u;
	bool mine;
	int r;

	if (cc_unpacked_find(layer, packed, plain))
		return 0;
	u = cc_unpacked_begin(layer->source, packed, &mine);
	if (u && !mine) {
		cc_unpacked_used(layer, CC_COUNT_UNPACK_HITS);
		/* Pairs with cc_unpacked_done(). */
		wait_var_event(&u->state, smp_load_acquire(&u->state) == CC_UNPACKED);
		r = u->error;
	} else {
		cc_unpacked_used(layer, CC_COUNT_UNPACK_MISSES);
		r = cc_unpack(layer, packed, &plain->unpacker);
	}
	if (u && mine) {
		if (!r) {
			cc_unpacked_fill(u, plain->unpacker->out);
			cc_unpacker_put(plain->unpacker);
			plain->unpacker = NULL;
		}
		cc_unpacked_done(u, r);
	}
	if (u && r)
		cc_unpacked_unref(u);
	else
		plain->cached = u;
	return r;
}

void cc_unpacked_put(struct cc_plain *plain)
{
	if (plain->cached)
		cc_unpacked_unref(plain->cached);
	else
		cc_unpacker_put(plain->unpacker);
}

void cc_unpacked_copy(const struct cc_plain *plain, u32 offset, void *to, u32 len)
{
	if (!plain->cached) {
		memcpy(to, plain->unpacker->out + offset, len);
		return;
	}
	while (len) {
		u32 n = min_t(u32, len, PAGE_SIZE - offset_in_page(offset));

		memcpy_from_page(to, plain->cached->page[offset >> PAGE_SHIFT],
				 offset_in_page(offset), n);
		offset += n;
		to += n;
		len -= n;
	}
}

/* ------------------------------------------------------------------- sources */

static struct cc_source *cc_source_find(struct cc_layer *layer)
{
	struct cc_source *s;

	lockdep_assert_held(&cc_cache.sources_lock);
	list_for_each_entry(s, &cc_cache.sources, list)
		if (s->bdev == layer->bdev && s->cluster_bits == layer->q2.cluster_bits &&
		    s->compression == layer->q2.compression)
			return s;
	return NULL;
}

static struct cc_source *cc_source_make(struct cc_layer *layer)
{
	struct cc_source *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	if (cc_unpackers_use(layer->q2.cluster_bits)) {
		kfree(s);
		return NULL;
	}
	s->bdev = layer->bdev;
	s->cluster_bits = layer->q2.cluster_bits;
	s->compression = layer->q2.compression;
	list_add(&s->list, &cc_cache.sources);
	return s;
}

int cc_source_get(struct cc_layer *layer)
{
	struct cc_source *s = layer->source;

	if (s && (s->cluster_bits != layer->q2.cluster_bits ||
		  s->compression != layer->q2.compression)) {
		cc_layer_err(layer, "its header has changed since the table was loaded: load the table again");
		return -EINVAL;
	}
	if (s)
		return 0;
	if (cc_packed_pages_grow(layer->cc->packed_pages, layer->q2.cluster_bits))
		return -ENOMEM;
	mutex_lock(&cc_cache.sources_lock);
	s = cc_source_find(layer);
	if (!s)
		s = cc_source_make(layer);
	if (s)
		s->refs++;
	mutex_unlock(&cc_cache.sources_lock);
	layer->source = s;
	return s ? 0 : -ENOMEM;
}

/* Its clusters would be found by another device that takes the place of this one in memory. */
static void cc_source_forget(struct cc_source *source)
{
	struct cc_unpacked *u, *next;
	LIST_HEAD(evicted);

	spin_lock(&cc_cache.lock);
	list_for_each_entry_safe(u, next, &cc_cache.clock, clock) {
		if (!source->nr)
			break;
		if (u->source != source)
			continue;
		cc_unpacked_unhash(u);
		list_add(&u->clock, &evicted);
	}
	spin_unlock(&cc_cache.lock);
	cc_unpacked_drop_list(&evicted);
}

void cc_source_put(struct cc_layer *layer)
{
	struct cc_source *s = layer->source;

	if (!s)
		return;
	layer->source = NULL;
	mutex_lock(&cc_cache.sources_lock);
	if (!--s->refs) {
		list_del(&s->list);
		cc_source_forget(s);
		cc_unpackers_unuse();
		kfree(s);
	}
	mutex_unlock(&cc_cache.sources_lock);
}

/* -------------------------------------------------------------------- module */

static struct shrinker *cc_unpacked_shrinker;

int cc_unpacked_init(void)
{
	hash_init(cc_cache.hash);
	cc_unpacked_shrinker = cc_shrinker_register("dm-cowchain", cc_unpacked_count,
						    cc_unpacked_scan);
	return cc_unpacked_shrinker ? 0 : -ENOMEM;
}

void cc_unpacked_exit(void)
{
	cc_shrinker_free(cc_unpacked_shrinker);
	cc_unpackers_exit();
}
