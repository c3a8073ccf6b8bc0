/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages of a generator.
 */
#ifndef BOOT_LOG_H
#define BOOT_LOG_H

/*
 * Print an error: into the kernel's log if systemd has started the program, from which the journal takes it when there
 * is one, else on stderr. The text needs no newline, and is made safe here, see safe-text.h. Context: process.
 */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
