// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals around the suspend of a device, with a model in place of libdevmapper and the kernel.
 */
#include <errno.h>
#include <libdevmapper.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dm-change.h"
#include "hold.h"
#include "test.h"

enum contents { NONE, CHAIN, ERROR };
enum when { NEVER, BEFORE, AFTER };

/* One device; shared with the children that suspend it. */
static struct {
	bool suspended;
	enum contents live;
	enum contents inactive;
	enum when killed;	/* the process that suspends it: before it has, or after */
	bool broken;		/* cannot be resumed */
} *model;

struct dm_task {
	int type;
	enum contents table;
};

struct dm_task *dm_task_create(int type)
{
	struct dm_task *task = calloc(1, sizeof(*task));

	assert_non_null(task);
	task->type = type;
	return task;
}

void dm_task_destroy(struct dm_task *task)
{
	free(task);
}

int dm_task_add_target(struct dm_task *task, uint64_t start, uint64_t size, const char *type,
		       const char *params)
{
	(void)start;
	(void)size;
	(void)params;
	task->table = strcmp(type, "error") ? CHAIN : ERROR;
	return 1;
}

static void suspend(void)
{
	if (model->killed == BEFORE)
		raise(SIGTERM);
	model->suspended = true;
	if (model->killed == AFTER)
		raise(SIGTERM);
}

static int resume(void)
{
	if (model->broken)
		return 0;
	if (model->inactive != NONE)
		model->live = model->inactive;
	model->inactive = NONE;
	model->suspended = false;
	return 1;
}

int dm_task_run(struct dm_task *task)
{
	switch (task->type) {
	case DM_DEVICE_RELOAD:
		model->inactive = task->table;
		return 1;
	case DM_DEVICE_CLEAR:
		model->inactive = NONE;
		return 1;
	case DM_DEVICE_SUSPEND:
		suspend();
		return 1;
	case DM_DEVICE_RESUME:
		return resume();
	default:
		return task->type == DM_DEVICE_INFO;
	}
}

int dm_task_get_errno(struct dm_task *task)
{
	(void)task;
	return EIO;
}

/* The header may have it as a macro for its newest version. */
#undef dm_task_get_info
int dm_task_get_info(struct dm_task *task, struct dm_info *info)
{
	(void)task;
	memset(info, 0, sizeof(*info));
	info->exists = 1;
	info->suspended = model->suspended;
	return 1;
}

int dm_task_no_flush(struct dm_task *task)
{
	(void)task;
	return 1;
}

int dm_task_skip_lockfs(struct dm_task *task)
{
	(void)task;
	return 1;
}

int dm_task_set_name(struct dm_task *task, const char *name)
{
	(void)task;
	(void)name;
	return 1;
}

int dm_task_set_cookie(struct dm_task *task, uint32_t *cookie, uint16_t flags)
{
	(void)task;
	(void)cookie;
	(void)flags;
	return 1;
}

int dm_udev_wait_immediate(uint32_t cookie, int *ready)
{
	/* As the library does. */
	*ready = cookie != 0;
	return 1;
}

void dm_task_update_nodes(void)
{
}

/* Returns what the change returns. The signal has to be pending then, if one was to come. */
static int change(bool force, enum when killed, bool broken)
{
	static char name[] = "vm", uuid[] = "COWCHAIN-1", target[] = "cowchain", params[] = "";
	struct dm_device dev = {
		.name = name, .uuid = uuid, .target = target, .params = params, .sectors = 8,
		.suspended = model->suspended,
	};
	struct timespec none = { 0 };
	sigset_t term;
	int ret;

	model->live = CHAIN;
	model->inactive = NONE;
	model->killed = killed;
	model->broken = broken;
	hold_begin();
	quiet_begin();
	ret = force ? dm_remove(&dev, DM_REMOVE_FORCE) : dm_reload(&dev);
	/* Else it would end this program. */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	assert_int_equal(sigtimedwait(&term, NULL, &none), killed == NEVER ? -1 : SIGTERM);
	hold_end();
	return ret;
}

static void assert_as_it_was(void)
{
	assert_int_equal(model->live, CHAIN);
	assert_int_equal(model->inactive, NONE);
	assert_false(model->suspended);
}

static void reload(void **state)
{
	(void)state;
	assert_int_equal(change(false, NEVER, false), 0);
	quiet_end();
	assert_as_it_was();
	assert_int_equal(change(false, BEFORE, false), -EINTR);
	quiet_end();
	assert_as_it_was();
	/* The kernel has done it: then it goes on to the end. */
	assert_int_equal(change(false, AFTER, false), 0);
	quiet_end();
	assert_as_it_was();
}

static void detach_by_force(void **state)
{
	(void)state;
	assert_int_equal(change(true, BEFORE, false), -EINTR);
	assert_non_null(strstr(quiet_end(), "the device is as it was"));
	assert_as_it_was();
	assert_int_equal(change(true, AFTER, false), -EINTR);
	assert_non_null(strstr(quiet_end(), "the device is as it was"));
	assert_as_it_was();
	/* One that was suspended by somebody else remains so. */
	model->suspended = true;
	assert_int_equal(change(true, AFTER, false), -EINTR);
	assert_non_null(strstr(quiet_end(), "the device is as it was"));
	assert_true(model->suspended);
	model->suspended = false;
	assert_as_it_was();
}

/* What cannot be undone is not said to be. */
static void detach_that_cannot_be_undone(void **state)
{
	const char *said;

	(void)state;
	assert_int_equal(change(true, AFTER, true), -EINTR);
	said = quiet_end();
	assert_non_null(strstr(said, "the device is suspended and I/O waits"));
	assert_null(strstr(said, "as it was"));
	model->suspended = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reload),
		cmocka_unit_test(detach_by_force),
		cmocka_unit_test(detach_that_cannot_be_undone),
	};

	model = mmap(NULL, sizeof(*model), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (model == MAP_FAILED)
		return 1;
	/* A caller may have it ignored: then it would be none that ends a program. */
	signal(SIGTERM, SIG_DFL);
	return cmocka_run_group_tests_name("dm-change", tests, NULL, NULL);
}
