/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rounds: snapshots of several chains, of all of them at one point in time or of none.
 */
#ifndef COWCHAIN_ROUND_H
#define COWCHAIN_ROUND_H

#include "cowchain.h"

struct cc_round;

/* Context: process. Return: 0 or -ENOMEM. */
int cc_rounds_init(void);
void cc_rounds_exit(void);

/* --- A chain with a snapshot that is prepared. --- */

/**
 * cc_round_offer() - let a round take it.
 * @delay: jiffies after which cc->snapshot_work runs if none has.
 *
 * Context: process, cc->ctl held.
 */
void cc_round_offer(struct cowchain *cc, unsigned long delay);

/*
 * No longer. Context: process, cc->ctl held. Return: false if there is none, or a round has taken
 * it: then cc->snapshot_work runs.
 */
bool cc_round_withdraw(struct cowchain *cc);

/* Let chains that wait for others see that cc_must_yield(). Context: any. */
void cc_round_wake(void);

/* --- The message. --- */

/**
 * cc_round_run() - begin a round, and wait until it has succeeded or failed everywhere.
 * @cc: the first member; its message runs this.
 * @argc, @argv: the other members, by MAJ:MIN or by the name of the mapped device.
 * @ms: as for cc_round_ready(); the limit of this is a multiple.
 *
 * If not all of them have a snapshot that is prepared, these stay so; after any other error no
 * member has one.
 *
 * Context: process, cc->ctl not held. Return: 0 if all members have taken their snapshots, else
 * none has: -ENOENT or -EINVAL (a member), -ENOMEM, -EBUSY (too slow), -EINTR (killed, or a device
 * is about to be suspended), or the error of a member; logged.
 */
int cc_round_run(struct cowchain *cc, unsigned int argc, char **argv, unsigned int ms);

/* --- A member: cc->snapshot_work. --- */

/* The round that has taken the snapshot of @cc, or NULL. Context: process. */
struct cc_round *cc_round_of(struct cowchain *cc);

/**
 * cc_round_ready() - wait until all members may pause their writes.
 * @round: NULL for none.
 * @ms: for how long.
 * @end: jiffies, until when writes may be paused: @ms from when all are ready.
 *
 * Context: process. Return: 0, or the error of the round.
 */
int cc_round_ready(struct cc_round *round, struct cowchain *cc, unsigned int ms,
		   unsigned long *end);

/**
 * cc_round_agree() - wait until all members can publish what they have made durable.
 * @round: NULL for none.
 * @r: 0, or why this member cannot.
 *
 * Context: process. Return: 0 for all members, or an error for all members; @r without a round.
 */
int cc_round_agree(struct cc_round *round, struct cowchain *cc, unsigned long end, int r);

/* This member cannot take part. No effect after cc_round_agree(). Context: process. */
void cc_round_fail(struct cc_round *round, int error);

/* @cc is out of the round, and may have another. Then count that for the message. */
void cc_round_leave(struct cowchain *cc);
void cc_round_done(struct cc_round *round);

#endif /* COWCHAIN_ROUND_H */
