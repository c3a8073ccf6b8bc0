// SPDX-License-Identifier: GPL-2.0-only
/*
 * Space is reserved in pieces, which a signal or an error ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "hold.h"
#include "reserve.h"
#include "test.h"

#define MIB (1ULL << 20)

static uint64_t reached;	/* where the last piece ends */
static unsigned int calls;
static unsigned int stop_at;	/* the call that fails, or that a signal comes in; 0: none */
static int stop_error;		/* what it fails with; 0: a signal */

int fallocate(int fd, int mode, off_t offset, off_t len)
{
	(void)fd;
	assert_int_equal(mode, 0);
	assert_int_equal(offset, reached);
	assert_true(len > 0);
	reached += (uint64_t)len;
	if (++calls != stop_at)
		return 0;
	if (!stop_error)
		return raise(SIGTERM);
	errno = stop_error;
	return -1;
}

static int reserve_it(uint64_t size)
{
	reached = calls = 0;
	return reserve(-1, "name", size);
}

static void all_of_it(void **state)
{
	static const uint64_t sizes[] = { 0, 1, 256 * MIB, 256 * MIB + 1, 10240 * MIB - 512 };
	size_t i;

	(void)state;
	stop_at = 0;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(reserve_it(sizes[i]), 0);
		assert_int_equal(reached, sizes[i]);
	}
	assert_int_equal(calls, 40);
}

static void errors(void **state)
{
	(void)state;
	stop_at = 2;
	stop_error = ENOSPC;
	assert_int_equal(reserve_it(1024 * MIB), -ENOSPC);
	assert_int_equal(calls, 2);
}

static void signals(void **state)
{
	sigset_t set;
	int number;

	(void)state;
	stop_at = 3;
	stop_error = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	hold_begin();
	assert_int_equal(reserve_it(10240 * MIB), -EINTR);
	assert_int_equal(calls, 3);
	/* Or it would end this, too. */
	assert_int_equal(sigwait(&set, &number), 0);
	hold_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it),
		cmocka_unit_test(errors),
		cmocka_unit_test(signals),
	};

	return cmocka_run_group_tests_name("reserve", tests, NULL, NULL);
}
