/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands of the program that scripts/bench/exact measures with; see main.c.
 */
#ifndef COWCHAIN_BENCH_COPY_H
#define COWCHAIN_BENCH_COPY_H

void cmd_fill(int argc, char **argv);
void cmd_put(int argc, char **argv);
void cmd_copy(int argc, char **argv);

#endif
