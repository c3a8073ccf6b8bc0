// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cells: one reader/writer lock per cluster, hashed into a fixed array.
 *
 * A write takes them shared if it leaves nothing to fill, since such writes only race benignly with
 * each other. Writing to the top what the layers below have (fill, copy) and clearing bits
 * (discard) take them exclusively. Rewrites in a single file need no cell.
 *
 * Waiters are served in the order of their arrival, those that follow each other and want to share
 * all at once. So nobody starves, and a queue does not outlive its cause: when the exclusive holder
 * that made writes wait is gone, these go on together, and the next write finds nobody to wait for.
 *
 * A range never crosses a block of the top map (256 clusters), and blocks begin at multiples of
 * 256, so a range never wraps in the array: taking its cells in ascending order is taking them in
 * one global order, which excludes deadlocks. Holders never wait for other cells, for a held range
 * (see hold.c), for a worker or for a view.
 */
#include <linux/completion.h>
#include <linux/slab.h>

#include "cell.h"
#include "cowchain.h"

#define CC_NR_CELLS	1024

static struct cc_cell *cc_cell(struct cowchain *cc, u64 cluster)
{
	return &cc->cells[cluster % CC_NR_CELLS];
}

struct cc_cell *cc_cells_create(void)
{
	struct cc_cell *cells = kvcalloc(CC_NR_CELLS, sizeof(*cells), GFP_KERNEL);
	unsigned int i;

	for (i = 0; cells && i < CC_NR_CELLS; i++) {
		spin_lock_init(&cells[i].lock);
		INIT_LIST_HEAD(&cells[i].waiters);
	}
	return cells;
}

/* A sleeper; on its stack. */
struct cc_cell_waiter {
	struct list_head list;
	bool excl;
	struct completion granted;
};

static bool cc_cell_take(struct cc_cell *c, bool excl)
{
	lockdep_assert_held(&c->lock);
	if (excl ? c->holders : c->holders < 0)
		return false;
	c->holders = excl ? -1 : c->holders + 1;
	return true;
}

static bool cc_cell_try(struct cc_cell *c, bool excl)
{
	lockdep_assert_held(&c->lock);
	return list_empty(&c->waiters) && cc_cell_take(c, excl);
}

static bool cc_cell_try_shared(struct cc_cell *c)
{
	unsigned long flags;
	bool ok;

	spin_lock_irqsave(&c->lock, flags);
	ok = cc_cell_try(c, false);
	spin_unlock_irqrestore(&c->lock, flags);
	return ok;
}

static void cc_cell_lock(struct cc_cell *c, bool excl)
{
	struct cc_cell_waiter waiter = { .excl = excl };

	init_completion(&waiter.granted);
	spin_lock_irq(&c->lock);
	if (cc_cell_try(c, excl)) {
		spin_unlock_irq(&c->lock);
		return;
	}
	list_add_tail(&waiter.list, &c->waiters);
	spin_unlock_irq(&c->lock);
	wait_for_completion_io(&waiter.granted);
}

/* The waiter owns the cell before it wakes up. */
static void cc_cell_grant(struct cc_cell *c)
{
	struct cc_cell_waiter *w, *next;

	lockdep_assert_held(&c->lock);
	list_for_each_entry_safe(w, next, &c->waiters, list) {
		if (!cc_cell_take(c, w->excl))
			break;
		list_del(&w->list);
		complete(&w->granted);
	}
}

/* Release a holder. @to: new count after an exclusive one, 1 to keep it shared. */
static void cc_cell_release(struct cc_cell *c, bool excl, int to)
{
	unsigned long flags;

	spin_lock_irqsave(&c->lock, flags);
	c->holders = excl ? to : c->holders - 1;
	cc_cell_grant(c);
	spin_unlock_irqrestore(&c->lock, flags);
}

bool cc_cells_try_shared(struct cowchain *cc, u64 first, u64 last)
{
	u64 i;

	for (i = first; i <= last; i++) {
		if (!cc_cell_try_shared(cc_cell(cc, i))) {
			if (i > first)
				cc_cells_unlock_shared(cc, first, i - 1);
			return false;
		}
	}
	return true;
}

void cc_cells_unlock_shared(struct cowchain *cc, u64 first, u64 last)
{
	u64 i;

	for (i = first; i <= last; i++)
		cc_cell_release(cc_cell(cc, i), false, 0);
}

void cc_cells_lock_shared(struct cowchain *cc, u64 first, u64 last)
{
	u64 i;

	for (i = first; i <= last; i++)
		cc_cell_lock(cc_cell(cc, i), false);
}

void cc_cells_lock_excl(struct cowchain *cc, u64 first, u64 last)
{
	u64 i;

	for (i = first; i <= last; i++)
		cc_cell_lock(cc_cell(cc, i), true);
}

void cc_cells_unlock_excl(struct cowchain *cc, u64 first, u64 last)
{
	u64 i;

	for (i = first; i <= last; i++)
		cc_cell_release(cc_cell(cc, i), true, 0);
}

void cc_cells_fail(struct cowchain *cc, u64 first, u64 last)
{
	unsigned long flags;
	u64 i;

	for (i = first; i <= last; i++) {
		struct cc_cell *c = cc_cell(cc, i);

		spin_lock_irqsave(&c->lock, flags);
		WRITE_ONCE(c->failures, c->failures + 1);
		spin_unlock_irqrestore(&c->lock, flags);
	}
}

unsigned int cc_cells_failures(struct cowchain *cc, u64 first, u64 last)
{
	unsigned int n = READ_ONCE(cc_cell(cc, first)->failures);

	return first == last ? n : n + READ_ONCE(cc_cell(cc, last)->failures);
}

void cc_cells_downgrade(struct cowchain *cc, u64 first, u64 last)
{
	u64 i;

	for (i = first; i <= last; i++)
		cc_cell_release(cc_cell(cc, i), true, 1);
}

/* Each by itself: that is enough, and leaves the others to those who want them. */
void cc_cells_pass(struct cowchain *cc)
{
	u64 i;

	for (i = 0; i < CC_NR_CELLS; i++) {
		cc_cells_lock_excl(cc, i, i);
		cc_cells_unlock_excl(cc, i, i);
	}
}
