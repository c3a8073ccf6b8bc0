/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * While a stream runs, what the guest reads from the layers that are copied is copied next.
 */
#ifndef COWCHAIN_PROMOTE_H
#define COWCHAIN_PROMOTE_H

#include <stdint.h>
#include <sys/types.h>

#include "live.h"

struct reads;

/**
 * struct promote - zeros before promote_open().
 * @base, @top: layers above the one and below the other count; set by the caller.
 * @bytes: of the disk.
 * @pid: of the process that does it; 0 or -1: none.
 */
struct promote {
	int base, top;
	const char *name;
	uint64_t bytes;
	struct reads *reads;
	pid_t pid;
};

/* All that may fail. live is needed until promote_end(). Returns 0, or -1 after a message. */
int promote_open(struct promote *promote, const struct live *live);
/*
 * The stream runs. It goes on beside this process, until promote_end(), or until this process has ended. Locks are not
 * held: the other process would hold them, too. Without promote_open() before, nothing is done, here and in
 * promote_end().
 */
void promote_begin(struct promote *promote);
void promote_end(struct promote *promote);

#endif
