/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a helper that runs inside the shell returns to it.
 */
#ifndef COWCHAIN_TEST_LEAVE_H
#define COWCHAIN_TEST_LEAVE_H

/* exit() for the helpers: returns to the shell. */
void leave(int status) __attribute__((noreturn));
/* Calls a helper's main(). Return: its status, also if it has called leave(). */
int call_main(int (*entry)(int argc, char **argv), int argc, char **argv);
/* Runs the program argv[0]. Return: its exit status. */
int run_real(char **argv);

#endif
