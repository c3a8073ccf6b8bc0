/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cells: one reader/writer lock per cluster; see cell.c.
 */
#ifndef COWCHAIN_CELL_H
#define COWCHAIN_CELL_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct cowchain;

/**
 * struct cc_cell - one lock for the clusters that hash to it.
 * @holders: > 0 shared, -1 exclusive.
 * @failures: of writes by holders.
 * @waiters: in the order of their arrival; nobody passes them.
 */
struct cc_cell {
	spinlock_t lock;		/* all that follows; irq-safe */
	int holders;
	unsigned int failures;
	struct list_head waiters;
};

/* Clusters are absolute, first to last inclusive, in one block. */
struct cc_cell *cc_cells_create(void);
bool cc_cells_try_shared(struct cowchain *cc, u64 first, u64 last);	/* any */
void cc_cells_lock_shared(struct cowchain *cc, u64 first, u64 last);	/* process */
void cc_cells_unlock_shared(struct cowchain *cc, u64 first, u64 last);	/* any */
void cc_cells_lock_excl(struct cowchain *cc, u64 first, u64 last);	/* process */
void cc_cells_unlock_excl(struct cowchain *cc, u64 first, u64 last);	/* any */
void cc_cells_downgrade(struct cowchain *cc, u64 first, u64 last);	/* any */
/* Wait until everybody has given back what cells it holds now. */
void cc_cells_pass(struct cowchain *cc);				/* process */
/*
 * Count a failed write by a holder. It may have reached the device, so what was filled there before
 * is no longer reliable. cc_cells_failures() adds up the counts of the first and the last cluster;
 * under exclusive cells another sum than before means that a write has failed meanwhile.
 */
void cc_cells_fail(struct cowchain *cc, u64 first, u64 last);		/* any */
unsigned int cc_cells_failures(struct cowchain *cc, u64 first, u64 last); /* any */

#endif
