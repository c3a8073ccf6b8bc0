// SPDX-License-Identifier: GPL-2.0-only
/*
 * All disks of a guest: start, errors that wait for the user, sizes, end.
 */
#include <errno.h>
#include <string.h>

#include "disks.h"
#include "util.h"

#define PAUSED	"%s: %s: the guest is paused; remedy that, then send SIGCONT to %d"

int disks_start(struct disks *d)
{
	int err = 0;

	for (unsigned int i = 0; i < d->n && !err; i++)
		err = blk_start(&d->blk[i]);
	return err;
}

/*
 * A paused guest does nothing until the user has read this and reacts, so it is no way to fill a
 * log. Requests that fail while it is paused already are as many as were in flight.
 */
void disks_report(struct disks *d, pid_t supervisor, bool first)
{
	for (unsigned int i = 0; i < d->n; i++) {
		int err = blk_stopped(&d->blk[i]);

		if (err && first)
			say(PAUSED, d->path[i], strerror(err), supervisor);
		else if (err)
			say_guest(PAUSED, d->path[i], strerror(err), supervisor);
	}
}

void disks_retry(struct disks *d)
{
	for (unsigned int i = 0; i < d->n; i++)
		blk_retry(&d->blk[i]);
}

void disks_update_sizes(struct disks *d)
{
	for (unsigned int i = 0; i < d->n; i++) {
		int changed = blk_update_size(&d->blk[i]);

		if (changed < 0)
			say_errno(-changed, "cannot find out the size of %s", d->path[i]);
		else if (changed)
			say("%s: its size is %lu sectors now", d->path[i],
			    (unsigned long)(blk_capacity(&d->blk[i].lim) >> SECTOR_BITS));
	}
}

/*
 * A disk that does not answer, such as one on an NFS server that is down, must not keep the guest
 * from ending. The kernel completes or drops what it has when the process is gone, but nobody knows
 * when: a write among it could land on what the next boot has written.
 */
int disks_stop(struct disks *d, unsigned int ms, int end)
{
	struct timespec until = in_ms(ms);

	for (unsigned int i = 0; i < d->n; i++)
		blk_quit(&d->blk[i]);
	for (unsigned int i = 0; i < d->n; i++) {
		if (blk_stop(&d->blk[i], &until))
			continue;
		say("%s has not finished its last requests in %u seconds: not waiting for it",
		    d->path[i], ms / 1000);
		if (end == END_REBOOT) {
			say("not booting again: %s still has requests of the last boot",
			    d->path[i]);
			end = END_ERROR;
		}
	}
	return end;
}
