// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rounds: snapshots of several chains, of all of them at one point in time or of none.
 *
 * Each chain prepares its snapshot by a message of its own, and offers it in a list of the module.
 * One message then takes some of them from there, and lets each of them be committed by a work item
 * of its chain. The members meet twice:
 *
 *	seal the old top		takes as long as its device does
 *	--- all are ready		cc_round_ready()
 *	pause, drain, sync		until round->end
 *	--- all are durable		cc_round_agree(): here all succeed, or fail
 *	publish the new view, unpause	nothing in here can fail or wait
 *
 * One point in time: let a write W2 to one member be submitted after a write W1 to another has
 * ended, and let W2 be in the old top of its chain. Then W2 became a writer of the old view before
 * that was drained, so before all members agreed, so before any new view was published. So W1 went
 * to an old view, too. No order between members is needed, neither when they pause nor when they
 * publish: a member that has not published yet has its writes wait.
 *
 * All or none: round->durable reaches round->members only if no error was set before, and no error
 * is set after it has. Both happen under the lock.
 *
 * After a power loss each chain is as with a snapshot of its own, since the same steps make the
 * same writes in the same order: see cc_ident_seal(). If it comes before the last member is
 * durable, the guest has seen no snapshot. The old tops are sealed or not, and each has what its
 * last flush has acknowledged, whether it is found by its own name or under the new top, which is
 * empty. If it comes later, the old tops are sealed and durable, and nothing has been written to
 * any of them since all were drained: they are at that point in time.
 *
 * Locks and lifetimes: a message handler protects the target that it was sent to, and no other,
 * which may be suspended, get another table or be removed at any time. So the message does not
 * touch the other members but in the list, and none of them takes a second chain's cc->ctl: each
 * one's work item holds that of its own chain, as a snapshot does. What a work item uses of its
 * chain is safe until it clears cc->snapshot, for which presuspend waits, and the destructor waits
 * for the work item itself. A round is counted. This also means that a device that does not respond
 * holds up its own chain: the others wait for it where they meet, for a limited time, and until
 * their own device is to be suspended.
 *
 * Members are found in the list and not as mapped devices. It has what can be in a round, and
 * nothing else: no path is looked up (the file system may be frozen), no device is opened that
 * could be no chain, and a chain that is in the list is not suspended. A chain is in at most one
 * round, and whoever takes it from the list has it: a round, an abort, the end of its time, or a
 * suspend.
 *
 * A member on top of another one (its image is in a file system on that) cannot be drained once
 * that is paused. This ends with the time, and the round has failed.
 */
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/slab.h>

#include "round.h"

/**
 * struct cc_round - one round.
 * @refs: of the message and of each member.
 * @members: their number, at least 1; fixed when the first one begins.
 * @ready: members that have sealed their old tops.
 * @durable: members that have paused, and made all durable.
 * @gone: members that need the round no more.
 * @end: jiffies; set by the last one that is ready.
 * @error: why it has failed.
 *
 * Protected by cc_rounds_lock; those that wait read without it.
 */
struct cc_round {
	refcount_t refs;
	unsigned int members;
	unsigned int ready;
	unsigned int durable;
	unsigned int gone;
	unsigned long end;
	int error;
};

/* Below cc->ctl. No I/O and no allocation under it. */
static DEFINE_MUTEX(cc_rounds_lock);
static LIST_HEAD(cc_offers);
static DECLARE_WAIT_QUEUE_HEAD(cc_round_wait);
static struct workqueue_struct *cc_round_wq;

/*
 * Freezable: a machine that goes to sleep waits for rounds that have begun. Members wait for each
 * other, so as many as possible may run at a time (from 6.9 on, each NUMA node has a share of the
 * number). A bio never waits for one that has not begun.
 */
int cc_rounds_init(void)
{
	cc_round_wq = alloc_workqueue("cowchain_round", WQ_UNBOUND | WQ_FREEZABLE, WQ_MAX_ACTIVE);
	return cc_round_wq ? 0 : -ENOMEM;
}

void cc_rounds_exit(void)
{
	destroy_workqueue(cc_round_wq);
}

static void cc_round_put(struct cc_round *round)
{
	if (refcount_dec_and_test(&round->refs))
		kfree(round);
}

void cc_round_wake(void)
{
	wake_up_all(&cc_round_wait);
}

/* ------------------------------------------------------------------ the list */

void cc_round_offer(struct cowchain *cc, unsigned long delay)
{
	lockdep_assert_held(&cc->ctl);
	mutex_lock(&cc_rounds_lock);
	list_add_tail(&cc->offer, &cc_offers);
	/* Under the lock: a round that takes it runs this now. */
	mod_delayed_work(cc_round_wq, &cc->snapshot_work, delay);
	mutex_unlock(&cc_rounds_lock);
}

bool cc_round_withdraw(struct cowchain *cc)
{
	bool offered;

	lockdep_assert_held(&cc->ctl);
	mutex_lock(&cc_rounds_lock);
	offered = !list_empty(&cc->offer);
	list_del_init(&cc->offer);
	/* If it runs already, it finds out. */
	if (offered)
		cancel_delayed_work(&cc->snapshot_work);
	mutex_unlock(&cc_rounds_lock);
	return offered;
}

static bool cc_has_name(struct cowchain *cc, const char *word)
{
	char name[DM_NAME_LEN];

	return !dm_copy_name_and_uuid(cc->md, name, NULL) && !strcmp(name, word);
}

/* A name may look like a number. */
static struct cowchain *cc_round_find(const char *word)
{
	struct cowchain *cc;

	lockdep_assert_held(&cc_rounds_lock);
	list_for_each_entry(cc, &cc_offers, offer)
		if (!strcmp(word, dm_device_name(cc->md)))
			return cc;
	list_for_each_entry(cc, &cc_offers, offer)
		if (cc_has_name(cc, word))
			return cc;
	return NULL;
}

/* --------------------------------------------------------------- the message */

static int cc_round_add(struct cc_round *round, struct cowchain *first, const char *word)
{
	struct cowchain *cc = cc_round_find(word);

	if (!cc) {
		cc_err(first, "no snapshot of %s is prepared: send it snapshot-prepare, and name it by MAJ:MIN or by its name without a directory",
		       word);
		return -ENOENT;
	}
	if (cc->round) {
		cc_err(first, "%s is named twice", word);
		return -EINVAL;
	}
	cc->round = round;
	round->members++;
	return 0;
}

/* Take all of them, or none. */
static int cc_round_collect(struct cc_round *round, struct cowchain *first, unsigned int argc,
			    char **argv)
{
	struct cowchain *cc, *next;
	unsigned int i;
	int r;

	lockdep_assert_held(&cc_rounds_lock);
	r = cc_round_add(round, first, dm_device_name(first->md));
	for (i = 0; i < argc && !r; i++)
		r = cc_round_add(round, first, argv[i]);
	list_for_each_entry_safe(cc, next, &cc_offers, offer) {
		if (!cc->round)
			continue;
		if (r) {
			cc->round = NULL;
			continue;
		}
		list_del_init(&cc->offer);
		refcount_inc(&round->refs);
		mod_delayed_work(cc_round_wq, &cc->snapshot_work, 0);
	}
	return r;
}

/* Has it succeeded? Then nothing can make it fail. */
static bool cc_round_succeeded(const struct cc_round *round)
{
	lockdep_assert_held(&cc_rounds_lock);
	return round->durable == round->members;
}

/* Return: the error that it has failed with, now or before; 0 if it has succeeded. */
static int cc_round_stop(struct cc_round *round, int error)
{
	mutex_lock(&cc_rounds_lock);
	if (cc_round_succeeded(round))
		error = 0;
	else if (round->error)
		error = round->error;
	else
		WRITE_ONCE(round->error, error);
	mutex_unlock(&cc_rounds_lock);
	cc_round_wake();
	return error;
}

void cc_round_fail(struct cc_round *round, int error)
{
	cc_round_stop(round, error);
}

/*
 * Each of the two meetings has a limit, but a device that does not respond may hold up its member
 * before or after them. The message ends all the same, since file systems may be frozen until it
 * does.
 */
static int cc_round_wait_for(struct cc_round *round, struct cowchain *cc, unsigned int ms)
{
	long left = wait_event_killable_timeout(cc_round_wait,
						READ_ONCE(round->gone) == round->members ||
						cc_must_yield(cc),
						msecs_to_jiffies(3 * ms));
	int r = cc_round_stop(round, left ? -EINTR : -EBUSY);

	if (r)
		cc_err(cc, "no snapshot was taken of any of %u devices: error %d",
		       round->members, r);
	return r;
}

int cc_round_run(struct cowchain *cc, unsigned int argc, char **argv, unsigned int ms)
{
	struct cc_round *round = kzalloc(sizeof(*round), GFP_NOIO);
	int r;

	if (!round)
		return -ENOMEM;
	refcount_set(&round->refs, 1);
	r = mutex_lock_killable(&cc_rounds_lock);
	if (!r) {
		r = cc_round_collect(round, cc, argc, argv);
		mutex_unlock(&cc_rounds_lock);
	}
	if (!r)
		r = cc_round_wait_for(round, cc, ms);
	cc_round_put(round);
	return r;
}

/* ---------------------------------------------------------------- the members */

struct cc_round *cc_round_of(struct cowchain *cc)
{
	struct cc_round *round;

	mutex_lock(&cc_rounds_lock);
	round = cc->round;
	mutex_unlock(&cc_rounds_lock);
	return round;
}

/*
 * Wait until all members have come to where @arrived is counted. The round fails if that takes too
 * long, or if this chain must not wait.
 */
static void cc_round_meet(struct cc_round *round, struct cowchain *cc, unsigned int *arrived,
			  unsigned long end)
{
	long left = max_t(long, end - jiffies, 1);
	bool early;

	cc_round_wake();
	/* Idle: no hung task warning, no load. */
	wait_event_idle_timeout(cc_round_wait, READ_ONCE(*arrived) == round->members ||
				READ_ONCE(round->error) || cc_must_yield(cc), left);
	if (READ_ONCE(*arrived) == round->members || READ_ONCE(round->error))
		return;
	early = cc_must_yield(cc);
	cc_err(cc, "no snapshot was taken: %s",
	       early ? "the device is being suspended" :
		       "others that are to have one at the same time were not ready");
	cc_round_stop(round, early ? -EINTR : -EBUSY);
}

int cc_round_ready(struct cc_round *round, struct cowchain *cc, unsigned int ms,
		   unsigned long *end)
{
	int r;

	*end = jiffies + msecs_to_jiffies(ms);
	if (!round)
		return 0;
	mutex_lock(&cc_rounds_lock);
	round->end = *end;
	WRITE_ONCE(round->ready, round->ready + 1);
	mutex_unlock(&cc_rounds_lock);
	cc_round_meet(round, cc, &round->ready, *end);
	mutex_lock(&cc_rounds_lock);
	*end = round->end;
	r = round->error;
	mutex_unlock(&cc_rounds_lock);
	return r;
}

int cc_round_agree(struct cc_round *round, struct cowchain *cc, unsigned long end, int r)
{
	if (!round)
		return r;
	mutex_lock(&cc_rounds_lock);
	if (r && !round->error)
		WRITE_ONCE(round->error, r);
	if (!round->error)
		WRITE_ONCE(round->durable, round->durable + 1);
	mutex_unlock(&cc_rounds_lock);
	cc_round_meet(round, cc, &round->durable, end);
	mutex_lock(&cc_rounds_lock);
	r = cc_round_succeeded(round) ? 0 : round->error;
	mutex_unlock(&cc_rounds_lock);
	return r;
}

void cc_round_leave(struct cowchain *cc)
{
	mutex_lock(&cc_rounds_lock);
	cc->round = NULL;
	mutex_unlock(&cc_rounds_lock);
}

void cc_round_done(struct cc_round *round)
{
	mutex_lock(&cc_rounds_lock);
	WRITE_ONCE(round->gone, round->gone + 1);
	mutex_unlock(&cc_rounds_lock);
	cc_round_wake();
	cc_round_put(round);
}
