/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Compares the layers of a chain with what was recorded of them, and records the one below the top.
 */
#ifndef COWCHAIN_CHAIN_RECORD_H
#define COWCHAIN_CHAIN_RECORD_H

#include "chain.h"
#include "record.h"

/*
 * Is what a header names still what it was? Refuses a file of another length if that changes what the disk has, and
 * notes another file. Before the layers are attached. Returns 0, or -1 after a message.
 */
int chain_check_record(const struct chain *chain);

struct chain_record {
	int fd;			/* of the top; -1: nothing is to be recorded */
	struct record rec;
};

/* Before the layers are attached. */
void chain_record_prepare(const struct chain *chain, const struct layer_options *opt, struct chain_record *record);
/* Write it if the chain is in use now; in any case before the chain is closed. */
void chain_record_finish(struct chain_record *record, bool in_use);

#endif
