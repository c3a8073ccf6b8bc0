/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A command of the user's that has guests write what they have in memory, and stop writing for a moment.
 */
#ifndef COWCHAIN_HOOK_H
#define COWCHAIN_HOOK_H

#include <stdbool.h>

#define HOOK_SECONDS 30

struct hook {
	const char *command;	/* for sh, whose $1 is "freeze" or "thaw"; NULL: none */
	unsigned int seconds;	/* for each of the two */
};

/*
 * Within a hold. A signal that ends the program ends the command, too, but not one that thaws. Return: 0, or -1
 * after a message.
 */
int hook_run(const struct hook *hook, bool thaw);

#endif
