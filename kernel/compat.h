/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernel versions. No other file depends on them.
 */
#ifndef COWCHAIN_COMPAT_H
#define COWCHAIN_COMPAT_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/err.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/version.h>

/* 6.8: hex2bin() has a header of its own, which kernel.h does not include for ever. */
#if KERNEL_VERSION(6, 8, 0) <= LINUX_VERSION_CODE
#include <linux/hex.h>
#else
#include <linux/kernel.h>
#endif

#if KERNEL_VERSION(6, 1, 0) > LINUX_VERSION_CODE
#error "dm-cowchain needs Linux 6.1 or later"
#endif

/* 6.5: fmode_t became blk_mode_t in dm_get_device() and dm_table_get_mode(). */
#ifdef BLK_OPEN_READ
typedef blk_mode_t cc_mode_t;
#define CC_OPEN_READ	BLK_OPEN_READ
#define CC_OPEN_WRITE	BLK_OPEN_WRITE
#else
typedef fmode_t cc_mode_t;
#define CC_OPEN_READ	FMODE_READ
#define CC_OPEN_WRITE	FMODE_WRITE
#endif

/* 6.14: bio_split() returns an error pointer where it returned NULL. */
static inline struct bio *cc_bio_split(struct bio *bio, unsigned int sectors,
				       struct bio_set *bs)
{
	struct bio *split = bio_split(bio, sectors, GFP_NOIO, bs);

	return IS_ERR_OR_NULL(split) ? NULL : split;
}

/*
 * 6.11: polling is a limit. Before that dm derives it from the devices, and defer.c clears the flag
 * of bios that cannot be served at once.
 */
#ifdef BLK_FEAT_POLL
static inline void cc_limits_no_poll(struct queue_limits *limits)
{
	limits->features &= ~BLK_FEAT_POLL;
}
#else
static inline void cc_limits_no_poll(struct queue_limits *limits) { }
#endif

/*
 * 6.17: a limit of its own for write zeroes that also free the space. It is stacked, too.
 * A value other than 0 or max_write_zeroes_sectors makes all of the limits invalid. A write-zeroes
 * sets bits here, and may or may not free space later, so it is 0.
 */
static inline void cc_limits_write_zeroes(struct queue_limits *limits, unsigned int sectors)
{
	limits->max_write_zeroes_sectors = sectors;
#if KERNEL_VERSION(6, 17, 0) <= LINUX_VERSION_CODE
	limits->max_hw_wzeroes_unmap_sectors = 0;
#endif
}

/* 6.2: timer_delete_sync() was del_timer_sync(), which 6.15 has dropped. */
static inline void cc_timer_stop(struct timer_list *timer)
{
#if KERNEL_VERSION(6, 2, 0) <= LINUX_VERSION_CODE
	timer_delete_sync(timer);
#else
	del_timer_sync(timer);
#endif
}

/* 6.7: shrinkers are allocated. */
typedef unsigned long (*cc_shrink_t)(struct shrinker *shrinker, struct shrink_control *sc);

#if KERNEL_VERSION(6, 7, 0) <= LINUX_VERSION_CODE
static inline struct shrinker *cc_shrinker_register(const char *name, cc_shrink_t count,
						    cc_shrink_t scan)
{
	struct shrinker *shrinker = shrinker_alloc(0, "%s", name);

	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker_register(shrinker);
	return shrinker;
}

static inline void cc_shrinker_free(struct shrinker *shrinker)
{
	shrinker_free(shrinker);
}
#else
static inline struct shrinker *cc_shrinker_register(const char *name, cc_shrink_t count,
						    cc_shrink_t scan)
{
	struct shrinker *shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);

	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->seeks = DEFAULT_SEEKS;
	if (register_shrinker(shrinker, "%s", name)) {
		kfree(shrinker);
		return NULL;
	}
	return shrinker;
}

static inline void cc_shrinker_free(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
	kfree(shrinker);
}
#endif

#endif /* COWCHAIN_COMPAT_H */
