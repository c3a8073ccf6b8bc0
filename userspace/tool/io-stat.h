/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel has counted of a block device: Documentation/block/stat.rst there.
 */
#ifndef COWCHAIN_IO_STAT_H
#define COWCHAIN_IO_STAT_H

#include <stdint.h>
#include <sys/types.h>

enum io_kind { IO_READ, IO_WRITE, IO_DISCARD, IO_FLUSH, IO_KINDS };

/* Since the device was made. All but in_flight only grow. */
struct io_stat {
	uint64_t done[IO_KINDS];	/* requests */
	uint64_t bytes[IO_KINDS];	/* none of flushes */
	uint64_t ms[IO_KINDS];		/* that they took, added up */
	uint64_t in_flight;
};

/* Parse the attribute "stat". Kernels have 11, 15 or 17 numbers there. Returns 0 or -1. Pure. */
int io_stat_parse(const char *text, struct io_stat *stat);
/* Returns 0, or -1 without a message: the device is gone. */
int io_stat_read(dev_t dev, struct io_stat *stat);

#endif
