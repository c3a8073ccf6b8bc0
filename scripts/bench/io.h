/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands of the program that scripts/bench/exact measures with; see main.c.
 */
#ifndef COWCHAIN_BENCH_IO_H
#define COWCHAIN_BENCH_IO_H

void cmd_io(int argc, char **argv);

#endif
