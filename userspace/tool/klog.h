/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel logged during an operation: device-mapper returns only an errno, the reason is in
 * the log.
 */
#ifndef COWCHAIN_KLOG_H
#define COWCHAIN_KLOG_H

/* Remember the end of the log. Returns a descriptor, or -1 if the log cannot be read. */
int klog_mark(void);
/*
 * Print the lines of device-mapper since the mark and close the descriptor. Returns their number.
 */
int klog_report(int fd);
void klog_drop(int fd);

#endif
