// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registry: who uses which device, over all cowchain targets.
 */
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "registry.h"

/*
 * struct cc_claim - one mapped device's claims on one block device.
 * @sealing: its writer is about to become a reader, or to be closed. It writes until then, so
 *	nobody else may read, and no other table of the mapped device may write.
 * @owes: writes to it were lost, which the next table has to report.
 */
struct cc_claim {
	struct list_head list;
	dev_t dev;
	struct mapped_device *md;
	unsigned int readers;
	unsigned int writers;
	bool sealing;
	bool owes;
};

static LIST_HEAD(cc_claims);
static DEFINE_MUTEX(cc_claims_lock);

static struct cc_claim *cc_claim_find(struct mapped_device *md, dev_t dev)
{
	struct cc_claim *c;

	lockdep_assert_held(&cc_claims_lock);
	list_for_each_entry(c, &cc_claims, list)
		if (c->dev == dev && c->md == md)
			return c;
	return NULL;
}

/* Does another mapped device use @dev in a way that excludes us? */
static bool cc_claim_conflicts(struct mapped_device *md, dev_t dev, bool writer)
{
	struct cc_claim *c;

	lockdep_assert_held(&cc_claims_lock);
	list_for_each_entry(c, &cc_claims, list)
		if (c->dev == dev && c->md != md && (writer || c->writers))
			return true;
	return false;
}

static int cc_claim_locked(struct mapped_device *md, dev_t dev, bool writer)
{
	struct cc_claim *c;

	if (cc_claim_conflicts(md, dev, writer))
		return -EBUSY;
	c = cc_claim_find(md, dev);
	if (c && c->sealing && writer)
		return -EBUSY;
	if (!c) {
		/* The memory must not depend on a chain that waits for this lock. */
		c = kzalloc(sizeof(*c), GFP_NOIO);
		if (!c)
			return -ENOMEM;
		c->dev = dev;
		c->md = md;
		list_add(&c->list, &cc_claims);
	}
	if (writer)
		c->writers++;
	else
		c->readers++;
	return 0;
}

int cc_claim(struct mapped_device *md, dev_t dev, bool writer)
{
	int r;

	mutex_lock(&cc_claims_lock);
	r = cc_claim_locked(md, dev, writer);
	mutex_unlock(&cc_claims_lock);
	return r;
}

void cc_unclaim(struct mapped_device *md, dev_t dev, bool writer)
{
	struct cc_claim *c;

	mutex_lock(&cc_claims_lock);
	c = cc_claim_find(md, dev);
	if (!WARN_ON_ONCE(!c)) {
		if (writer)
			c->writers--;
		else
			c->readers--;
		/* After a commit of the top the writer is closed, and does not become a reader. */
		if (!c->writers)
			c->sealing = false;
		if (!c->readers && !c->writers) {
			list_del(&c->list);
			kfree(c);
		}
	}
	mutex_unlock(&cc_claims_lock);
}

int cc_claim_seal(struct mapped_device *md, dev_t dev)
{
	struct cc_claim *c;
	int r = 0;

	mutex_lock(&cc_claims_lock);
	c = cc_claim_find(md, dev);
	if (WARN_ON_ONCE(!c || !c->writers))
		r = -EINVAL;
	else if (c->writers > 1)
		r = -EBUSY;
	else
		c->sealing = true;
	mutex_unlock(&cc_claims_lock);
	return r;
}

static void cc_claim_end_seal(struct mapped_device *md, dev_t dev, bool sealed)
{
	struct cc_claim *c;

	mutex_lock(&cc_claims_lock);
	c = cc_claim_find(md, dev);
	if (!WARN_ON_ONCE(!c || !c->sealing)) {
		c->sealing = false;
		if (sealed) {
			c->writers--;
			c->readers++;
		}
	}
	mutex_unlock(&cc_claims_lock);
}

void cc_claim_sealed(struct mapped_device *md, dev_t dev)
{
	cc_claim_end_seal(md, dev, true);
}

void cc_claim_unseal(struct mapped_device *md, dev_t dev)
{
	cc_claim_end_seal(md, dev, false);
}

void cc_claim_end_writing(struct mapped_device *md, dev_t dev)
{
	struct cc_claim *c;

	mutex_lock(&cc_claims_lock);
	c = cc_claim_find(md, dev);
	if (!WARN_ON_ONCE(!c || !c->writers)) {
		c->writers--;
		c->readers++;
	}
	mutex_unlock(&cc_claims_lock);
}

void cc_claim_set_owed(struct mapped_device *md, dev_t dev, bool owes)
{
	struct cc_claim *c;

	mutex_lock(&cc_claims_lock);
	c = cc_claim_find(md, dev);
	if (!WARN_ON_ONCE(!c))
		c->owes = owes;
	mutex_unlock(&cc_claims_lock);
}

bool cc_claim_owed(struct mapped_device *md, dev_t dev)
{
	struct cc_claim *c;
	bool owes = false;

	mutex_lock(&cc_claims_lock);
	c = cc_claim_find(md, dev);
	if (!WARN_ON_ONCE(!c)) {
		owes = c->owes;
		c->owes = false;
	}
	mutex_unlock(&cc_claims_lock);
	return owes;
}
