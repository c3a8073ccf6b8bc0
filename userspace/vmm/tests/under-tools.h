/* SPDX-License-Identifier: GPL-2.0-only */
/* Tests under valgrind or a sanitizer. */
#ifndef VMM_TESTS_UNDER_TOOLS_H
#define VMM_TESTS_UNDER_TOOLS_H

#include <stdbool.h>
#include <stdlib.h>

/* valgrind and the address sanitizer need more system calls than the launcher. */
static inline bool can_sandbox(void)
{
#ifdef __SANITIZE_ADDRESS__
	return false;
#else
	return !getenv("TEST_UNDER_VALGRIND");
#endif
}

#endif
