/* SPDX-License-Identifier: GPL-2.0-only */
/* The message "stats": shows the counters of a chain. */
#ifndef COWCHAIN_STATS_H
#define COWCHAIN_STATS_H

#include "cowchain.h"

/* Print all of them. Context: process. Return: 1: there is a result. */
int cc_stats_query(struct cowchain *cc, char *result, unsigned int maxlen);

/*
 * "on", "off" or "reset". Context: cc->ctl held, and there is a view. Return: 0, -EINVAL, or
 * -EAGAIN while the device is suspended; logged.
 */
int cc_stats_control(struct cowchain *cc, const char *word);

#endif /* COWCHAIN_STATS_H */
