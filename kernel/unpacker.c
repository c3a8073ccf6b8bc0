// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory to decompress clusters in, for the module as a whole.
 */
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "qcow2-unpack.h"
#include "unpacker.h"

/* So much may those take that are not needed to get on at all. */
#define CC_UNPACKERS_BYTES	(32UL << 20)

/*
 * @bits: of the largest cluster anybody may have, while there are @users.
 * @nr, @bytes: all there are, idle or not.
 */
static struct {
	struct mutex users_lock;	/* @users, @bits; held while the first ones are made */
	unsigned int users;
	unsigned int bits;
	spinlock_t lock;		/* all else; innermost */
	struct list_head idle;
	unsigned int nr;
	size_t bytes;
	wait_queue_head_t wait;
} cc_unpackers = {
	.users_lock = __MUTEX_INITIALIZER(cc_unpackers.users_lock),
	.lock = __SPIN_LOCK_UNLOCKED(cc_unpackers.lock),
	.idle = LIST_HEAD_INIT(cc_unpackers.idle),
	.wait = __WAIT_QUEUE_HEAD_INITIALIZER(cc_unpackers.wait),
};

static size_t cc_in_bytes(unsigned int bits)
{
	return (2UL << bits) + PAGE_SIZE;
}

static size_t cc_unpacker_bytes(unsigned int bits)
{
	return cc_in_bytes(bits) + (1UL << bits) + q2_unpack_workspace();
}

static void cc_unpacker_free(struct cc_unpacker *u)
{
	vfree(u->ws);
	vfree(u->out);
	vfree(u->in);
	kfree(u);
}

static struct cc_unpacker *cc_unpacker_make(unsigned int bits, gfp_t gfp)
{
	struct cc_unpacker *u = kzalloc(sizeof(*u), gfp);

	if (!u)
		return NULL;
	u->bits = bits;
	u->in = __vmalloc(cc_in_bytes(bits), gfp);
	u->out = __vmalloc(1UL << bits, gfp);
	u->ws = __vmalloc(q2_unpack_workspace(), gfp);
	if (u->in && u->out && u->ws)
		return u;
	cc_unpacker_free(u);
	return NULL;
}

static void cc_unpacker_add(struct cc_unpacker *u)
{
	spin_lock(&cc_unpackers.lock);
	list_add(&u->list, &cc_unpackers.idle);
	cc_unpackers.nr++;
	cc_unpackers.bytes += cc_unpacker_bytes(u->bits);
	spin_unlock(&cc_unpackers.lock);
	wake_up_all(&cc_unpackers.wait);
}

int cc_unpackers_use(unsigned int bits)
{
	struct cc_unpacker *u;

	mutex_lock(&cc_unpackers.users_lock);
	if (cc_unpackers.bits < bits) {
		u = cc_unpacker_make(bits, GFP_KERNEL);
		if (!u) {
			mutex_unlock(&cc_unpackers.users_lock);
			return -ENOMEM;
		}
		cc_unpacker_add(u);
		WRITE_ONCE(cc_unpackers.bits, bits);
	}
	cc_unpackers.users++;
	mutex_unlock(&cc_unpackers.users_lock);
	return 0;
}

/* -------------------------------------------------------- more of them */

static bool cc_unpackers_few(unsigned int bits)
{
	bool few;

	spin_lock(&cc_unpackers.lock);
	few = cc_unpackers.nr < num_online_cpus() &&
	      cc_unpackers.bytes + cc_unpacker_bytes(bits) <= CC_UNPACKERS_BYTES;
	spin_unlock(&cc_unpackers.lock);
	return few;
}

/* @users_lock is not held while this waits for memory: nobody must wait for that. */
static void cc_unpackers_more(struct work_struct *work)
{
	unsigned int bits = READ_ONCE(cc_unpackers.bits);
	struct cc_unpacker *u = NULL;

	if (bits && cc_unpackers_few(bits))
		u = cc_unpacker_make(bits, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	if (!u)
		return;
	mutex_lock(&cc_unpackers.users_lock);
	if (cc_unpackers.users)
		cc_unpacker_add(u);
	else
		cc_unpacker_free(u);
	mutex_unlock(&cc_unpackers.users_lock);
}

static DECLARE_WORK(cc_unpackers_work, cc_unpackers_more);

/* All are idle when the last user goes: nobody else could have one. */
void cc_unpackers_unuse(void)
{
	struct cc_unpacker *u, *next;
	LIST_HEAD(unused);

	mutex_lock(&cc_unpackers.users_lock);
	if (!--cc_unpackers.users) {
		WRITE_ONCE(cc_unpackers.bits, 0);
		spin_lock(&cc_unpackers.lock);
		list_splice_init(&cc_unpackers.idle, &unused);
		cc_unpackers.nr = 0;
		cc_unpackers.bytes = 0;
		spin_unlock(&cc_unpackers.lock);
	}
	mutex_unlock(&cc_unpackers.users_lock);
	list_for_each_entry_safe(u, next, &unused, list) {
		cc_unpacker_free(u);
	}
}

void cc_unpackers_exit(void)
{
	cancel_work_sync(&cc_unpackers_work);
}

/* ------------------------------------------------------------ taking one */

static struct cc_unpacker *cc_unpacker_try(unsigned int bits)
{
	struct cc_unpacker *u;

	spin_lock(&cc_unpackers.lock);
	list_for_each_entry(u, &cc_unpackers.idle, list) {
		if (u->bits < bits)
			continue;
		list_del(&u->list);
		spin_unlock(&cc_unpackers.lock);
		return u;
	}
	spin_unlock(&cc_unpackers.lock);
	return NULL;
}

struct cc_unpacker *cc_unpacker_get(unsigned int bits)
{
	struct cc_unpacker *u = cc_unpacker_try(bits);

	if (u)
		return u;
	if (cc_unpackers_few(bits))
		schedule_work(&cc_unpackers_work);
	wait_event(cc_unpackers.wait, (u = cc_unpacker_try(bits)));
	return u;
}

void cc_unpacker_put(struct cc_unpacker *u)
{
	spin_lock(&cc_unpackers.lock);
	list_add(&u->list, &cc_unpackers.idle);
	spin_unlock(&cc_unpackers.lock);
	wake_up_all(&cc_unpackers.wait);
}
