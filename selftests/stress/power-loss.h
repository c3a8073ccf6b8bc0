/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * chainstress: a run that is logged by dm-log-writes, for crashreplay to play back.
 */
#ifndef COWCHAIN_STRESS_POWER_LOSS_H
#define COWCHAIN_STRESS_POWER_LOSS_H

#include "stress.h"

void crash_prepare(struct stress *s);
/* Sets the mark that belongs to operation @id, which was acknowledged without an error. */
void crash_mark_op(struct stress *s, uint64_t id);
/* Writes the record: the seed, the messages, the marks and the operations. */
void crash_record(struct stress *s);
/* A FUA write without the flush that the kernel adds to a synchronous one; 0 or an errno. */
int crash_write_fua(int fd, const void *buf, size_t len, uint64_t off);
/* Sets the mark "@kind @a". */
void crash_mark(struct stress *s, char kind, uint64_t a);

#endif
