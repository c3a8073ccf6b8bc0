// SPDX-License-Identifier: GPL-2.0-only
/* All disks of a guest. What a single one does is in test-blk. */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "disks.h"
#include "rate.h"
#include "util.h"

static struct disks *disks;
static const struct blk_device *silent;		/* has not answered in time */
static unsigned int asked, stopped;

/* The linker redirects to these what disks.c calls. */
void __wrap_blk_quit(struct blk_device *dev);
bool __wrap_blk_stop(struct blk_device *dev, const struct timespec *until);

void __wrap_blk_quit(struct blk_device *dev)
{
	(void)dev;
	asked++;
}

bool __wrap_blk_stop(struct blk_device *dev, const struct timespec *until)
{
	(void)until;
	assert_int_equal(asked, disks->n);
	stopped++;
	return dev != silent;
}

static int setup(void **state)
{
	(void)state;
	disks = calloc(1, sizeof(*disks));
	if (!disks)
		return -1;
	disks->n = 3;
	disks->path[0] = "/disks/a";
	disks->path[1] = "/disks/b";
	disks->path[2] = "/disks/c";
	silent = NULL;
	asked = stopped = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(disks);
	return 0;
}

static void stop_as(int end, int expected)
{
	asked = stopped = 0;
	quiet_begin();
	assert_int_equal(disks_stop(disks, 5000, end), expected);
	assert_int_equal(stopped, disks->n);
}

static void ends_as_the_guest_did(void **state)
{
	(void)state;
	stop_as(END_REBOOT, END_REBOOT);
	assert_string_equal(quiet_end(), "");
	stop_as(END_POWEROFF, END_POWEROFF);
	assert_string_equal(quiet_end(), "");
}

/* What the kernel still has could land on the data of the next boot. */
static void no_boot_beside_old_requests(void **state)
{
	const char *text;

	(void)state;
	silent = &disks->blk[1];
	stop_as(END_REBOOT, END_ERROR);
	text = quiet_end();
	assert_non_null(strstr(text, "/disks/b has not finished its last requests in 5 seconds"));
	assert_non_null(strstr(text, "not booting again: /disks/b still has requests"));
	stop_as(END_POWEROFF, END_POWEROFF);
	assert_null(strstr(quiet_end(), "not booting"));
	stop_as(END_TIMEOUT, END_TIMEOUT);
	assert_null(strstr(quiet_end(), "not booting"));
}

/* Otherwise a guest would stand still for a reason that nobody knows. */
static void the_pause_is_always_reported(void **state)
{
	const char *text;

	(void)state;
	quiet_begin();
	for (int i = 0; i < 2 * RATE_TIMES; i++)
		say_guest("something that the guest caused");
	quiet_end();
	atomic_store(&disks->blk[1].stopped_by, ENOSPC);
	atomic_store(&disks->blk[2].stopped_by, EIO);
	quiet_begin();
	disks_report(disks, 4711, true);
	text = quiet_end();
	assert_null(strstr(text, "/disks/a"));
	assert_non_null(strstr(text, "/disks/b: No space left on device: the guest is paused"));
	assert_non_null(strstr(text, "/disks/c: Input/output error: the guest is paused"));
	assert_non_null(strstr(text, "send SIGCONT to 4711"));
	/* each error once */
	quiet_begin();
	disks_report(disks, 4711, true);
	assert_string_equal(quiet_end(), "");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(ends_as_the_guest_did), T(no_boot_beside_old_requests),
		T(the_pause_is_always_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
