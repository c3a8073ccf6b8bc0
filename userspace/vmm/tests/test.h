/* SPDX-License-Identifier: GPL-2.0-only */
/* What cmocka wants included before it, in its order. */
#ifndef VMM_TESTS_TEST_H
#define VMM_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
