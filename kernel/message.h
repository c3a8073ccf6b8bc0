/* SPDX-License-Identifier: GPL-2.0-only */
/* dm's message method. Context: process. */
#ifndef COWCHAIN_MESSAGE_H
#define COWCHAIN_MESSAGE_H

struct dm_target;

int cc_message(struct dm_target *ti, unsigned int argc, char **argv,
	       char *result, unsigned int maxlen);

#endif /* COWCHAIN_MESSAGE_H */
