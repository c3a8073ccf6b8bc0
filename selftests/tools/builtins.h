/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BUILTINS_H
#define BUILTINS_H

/* exit() for the helpers: back to the shell. */
void leave(int status) __attribute__((noreturn));

/* Starts the program of that name; its exit status. */
int run_real(char **argv);

#define BUILTIN(name)	int name##_main(int argc, char **argv);
#include "builtins-list.h"
#undef BUILTIN


#endif
