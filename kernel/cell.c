// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cells: one reader/writer lock per cluster, hashed into a fixed array.
 *
 * Writes of whole subclusters take them shared, since they only race benignly with each other.
 * Writing to the top what the layers below have (fill, copy) and clearing bits (discard) take them
 * exclusively. Writes to subclusters that are allocated already need no cell.
 *
 * A range never crosses a block of the top map (256 clusters), and blocks begin at multiples of
 * 256, so a range never wraps in the array: taking its cells in ascending order is taking them in
 * one global order, which excludes deadlocks. Holders never wait for other cells, for a worker or
 * for a view.
 */
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
		init_waitqueue_head(&cells[i].wait);
	}
	return cells;
}

static bool cc_cell_try_shared(struct cc_cell *c)
{
	unsigned long flags;
	bool ok;

	spin_lock_irqsave(&c->lock, flags);
	ok = c->holders >= 0 && !c->excl_waiting;
	if (ok)
		c->holders++;
	spin_unlock_irqrestore(&c->lock, flags);
	return ok;
}

static bool cc_cell_try_excl(struct cc_cell *c)
{
	unsigned long flags;
	bool ok;

	spin_lock_irqsave(&c->lock, flags);
	ok = !c->holders;
	if (ok) {
		c->holders = -1;
		c->excl_waiting--;
	}
	spin_unlock_irqrestore(&c->lock, flags);
	return ok;
}

/* Release a holder. @to: new count after an exclusive one, 1 to keep it shared. */
static void cc_cell_release(struct cc_cell *c, bool excl, int to)
{
	unsigned long flags;
	bool wake;

	spin_lock_irqsave(&c->lock, flags);
	c->holders = excl ? to : c->holders - 1;
	wake = c->holders == 0 && c->excl_waiting;
	spin_unlock_irqrestore(&c->lock, flags);
	if (wake)
		wake_up(&c->wait);
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

/* Exclusive waiters are served in the order of their arrival. */
static void cc_cell_wait_excl(struct cc_cell *c)
{
	DEFINE_WAIT(wait);

	while (!cc_cell_try_excl(c)) {
		prepare_to_wait_exclusive(&c->wait, &wait, TASK_UNINTERRUPTIBLE);
		if (cc_cell_try_excl(c))
			break;
		io_schedule();
	}
	finish_wait(&c->wait, &wait);
}

void cc_cells_lock_excl(struct cowchain *cc, u64 first, u64 last)
{
	u64 i;

	for (i = first; i <= last; i++) {
		struct cc_cell *c = cc_cell(cc, i);

		spin_lock_irq(&c->lock);
		c->excl_waiting++;
		spin_unlock_irq(&c->lock);
		cc_cell_wait_excl(c);
	}
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
