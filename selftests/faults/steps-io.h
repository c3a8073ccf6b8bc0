/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * faultwalk: steps that do I/O as the guest does.
 */
#ifndef COWCHAIN_FAULTS_STEPS_IO_H
#define COWCHAIN_FAULTS_STEPS_IO_H

#include "step.h"

/* Longer than the target remembers that it could not read a table. */
#define OUTLIVE_MS	10000

/* Offset and length in KiB. */
void step_io(struct walk *w, enum io_kind kind, uint32_t kib, uint32_t len_kib);
/* The same in sectors. */
void step_part(struct walk *w, enum io_kind kind, uint32_t sector, uint32_t sectors);
void step_flush(struct walk *w);
void step_read_all(struct walk *w);

#endif
