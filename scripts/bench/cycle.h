/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two commands that undo each other, again and again.
 */
#ifndef COWCHAIN_BENCH_CYCLE_H
#define COWCHAIN_BENCH_CYCLE_H

void cmd_cycle(int argc, char **argv);

#endif
