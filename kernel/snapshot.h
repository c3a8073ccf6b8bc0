/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Snapshots: a new top on the live chain.
 *
 * Context: process, cc->ctl not held. Return: 0 or -errno unless said otherwise; the reason is
 * logged.
 */
#ifndef COWCHAIN_SNAPSHOT_H
#define COWCHAIN_SNAPSHOT_H

#include "layer.h"

/**
 * struct cc_snapshot_args - the new, empty top.
 * @data_path: NULL if there is no separate data device.
 */
struct cc_snapshot_args {
	enum cc_kind kind;
	const char *path;
	const char *data_path;
};

/* Before and after all others. */
void cc_snapshot_init(struct cowchain *cc);
void cc_snapshot_exit(struct cowchain *cc);

/**
 * cc_snapshot() - put a new top on the chain.
 *
 * Returns when all reads that had begun before have ended, or the task is killed, or the device is
 * about to be suspended. After an error everything is as it was before; -EBUSY if writes do not end
 * within the limit of the pause.
 */
int cc_snapshot(struct cowchain *cc, const struct cc_snapshot_args *args);

/**
 * cc_snapshot_prepare() - do all of that which takes long.
 *
 * From then on no job and no other snapshot begins, until cc_snapshot_commit() or
 * cc_snapshot_abort(), or until a suspend begins or a time is over, which give it up.
 */
int cc_snapshot_prepare(struct cowchain *cc, const struct cc_snapshot_args *args);

/**
 * cc_snapshot_commit() - take the snapshots that are prepared here and in other chains.
 * @argc, @argv: the others.
 *
 * All of them are taken, at one point in time, or none is; see round.h. Does not wait for reads
 * that had begun before.
 */
int cc_snapshot_commit(struct cowchain *cc, unsigned int argc, char **argv);

int cc_snapshot_abort(struct cowchain *cc);

/*
 * For a suspend: none that is prepared is left, unless a commit has it. Return: whether there was
 * one; not logged.
 */
bool cc_snapshot_give_up(struct cowchain *cc);

#endif /* COWCHAIN_SNAPSHOT_H */
