/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included in front of each source of builtins.so: its main() is NAME_main() there, and exit()
 * leave().
 */
#ifndef COWCHAIN_TEST_BUILTINS_H
#define COWCHAIN_TEST_BUILTINS_H

#include "leave.h"

#define BUILTIN(name)	int name##_main(int argc, char **argv);
#include "builtins-list.h"
#undef BUILTIN

#endif
