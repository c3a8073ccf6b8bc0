/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands of the program that scripts/bench/exact measures with; see main.c.
 */
#ifndef COWCHAIN_BENCH_DM_H
#define COWCHAIN_BENCH_DM_H

void cmd_activate(int argc, char **argv);
void cmd_job(int argc, char **argv);

#endif
