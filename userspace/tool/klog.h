/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel logged while an operation ran: device-mapper returns an errno, the reason is in the
 * log.
 */
#ifndef COWCHAIN_KLOG_H
#define COWCHAIN_KLOG_H

/* Remembers where the log ends now. Returns a descriptor, -1 if the log cannot be read. */
int klog_mark(void);
/* Prints device-mapper's lines since the mark; returns how many. Closes the descriptor. */
int klog_report(int fd);
void klog_drop(int fd);

#endif
