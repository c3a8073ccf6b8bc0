// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes, reloads and removes devices.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dm-change.h"
#include "dm-task.h"
#include "hold.h"
#include "klog.h"
#include "plan.h"
#include "users.h"
#include "util.h"

static int create_empty(const char *name, const struct dm_marks *marks)
{
	struct dm_task *task = task_new(DM_DEVICE_CREATE, name);
	char *uuid = dm_uuid_new(marks);
	int ret = NO_TASK;

	if (task && dm_task_set_uuid(task, uuid))
		ret = task_run(task);
	task_end(task);
	free(uuid);
	return ret;
}

static int load(const char *name, uint64_t sectors, const char *target, const char *params,
		bool read_only)
{
	struct dm_task *task = task_new(DM_DEVICE_RELOAD, name);
	int ret = NO_TASK;

	cc_debug("%s: table '0 %" PRIu64 " %s %s'", name, sectors, target, params);
	if (task && dm_task_add_target(task, 0, sectors, target, params) &&
	    (!read_only || dm_task_set_ro(task)))
		ret = task_run(task);
	task_end(task);
	return ret;
}

static int suspend_noflush(const void *name)
{
	struct dm_task *task = task_new(DM_DEVICE_SUSPEND, name);
	int ret = NO_TASK;

	if (task && dm_task_no_flush(task) && dm_task_skip_lockfs(task))
		ret = task_run(task);
	task_end(task);
	return ret;
}

static bool suspended(const char *name)
{
	struct dm_task *task = task_new(DM_DEVICE_INFO, name);
	struct dm_info info;
	bool is = task && !task_run(task) && dm_task_get_info(task, &info) && info.suspended;

	task_end(task);
	return is;
}

/*
 * It waits for I/O that was submitted before, perhaps for ever. The kernel looks at signals only during
 * that wait. The target may trim and commit before and after it: a signal that comes then ends the child
 * on its way back from a suspend that has succeeded.
 */
static int suspend(const char *name)
{
	int ret = hold_run(suspend_noflush, name);

	return ret == -EINTR && suspended(name) ? 0 : ret;
}

/* An inactive table that was left behind would become active with the next suspend and resume. */
static void clear(const char *name)
{
	struct dm_task *task = task_new(DM_DEVICE_CLEAR, name);

	task_run(task);
	task_end(task);
}

/* host: see dm-uuid.h. */
static int resume(const char *name, bool host)
{
	struct dm_task *task = task_new(DM_DEVICE_RESUME, name);
	int ret = task_run_with_udev(task, host);

	task_end(task);
	return ret;
}

/* Programs such as blkid open devices briefly: the library retries for a while. */
static int remove_now(const char *name)
{
	struct dm_task *task = task_new(DM_DEVICE_REMOVE, name);
	int ret = NO_TASK;

	if (task && dm_task_retry_remove(task))
		ret = task_run_with_udev(task, false);
	task_end(task);
	return ret;
}

/* Make the node if the device exists, and remove it if it does not; NULL: all nodes. */
static void fix_nodes(const char *name)
{
	struct dm_task *task = task_new(DM_DEVICE_MKNODES, name);

	task_run(task);
	dm_task_update_nodes();
	task_end(task);
}

/* The library would remove the node at once, although the device stays as long as it is in use. */
static int remove_deferred(const char *name)
{
	struct dm_task *task = task_new(DM_DEVICE_REMOVE, name);
	int ret = NO_TASK;

	if (task && dm_task_deferred_remove(task))
		ret = task_run_keeping_node(task);
	task_end(task);
	if (!ret)
		fix_nodes(name);
	return ret;
}

static int create(const struct dm_new *new)
{
	const char *name = new->name;
	int klog = klog_mark();
	int ret = create_empty(name, &new->marks);

	if (ret) {
		if (ret == -EBUSY || ret == -EEXIST)
			dm_say_exists(name);
		else
			cc_error("%s: cannot create the device: %s%s", name, strerror(-ret),
				 dm_remedy(ret));
		klog_drop(klog);
		return ret;
	}
	/*
	 * Nobody has removed the nodes of devices that were removed when they were closed. They would
	 * lead to this one if it got an old number.
	 */
	if (!dm_udev_get_sync_support())
		fix_nodes(NULL);
	ret = load(name, new->sectors, TARGET_NAME, new->params, new->read_only);
	if (ret)
		cc_error("%s: the kernel refuses the chain: %s", name, strerror(-ret));
	if (!ret) {
		ret = resume(name, new->marks.host);
		if (ret)
			cc_error("%s: cannot activate the chain: %s", name, strerror(-ret));
	}
	if (!ret && hold_interrupted()) {
		ret = -EINTR;
		cc_error("%s: interrupted", name);
	} else if (!ret) {
		klog_drop(klog);
		return 0;
	}
	if (!klog_report(klog) && ret == -EINVAL)
		cc_error("is the module loaded? try 'modprobe dm-cowchain'; see also 'dmesg'");
	remove_now(name);
	return ret;
}

static void say_in_use(const struct dm_device *dev)
{
	char *users = users_find(dev->dev);

	if (users)
		cc_error("%s: in use: %s: end that first, or give --deferred", dev->name, users);
	else
		cc_error("%s: in use: it may be mounted in another namespace (a container), see /proc/*/mountinfo: end that first, or give --deferred",
			 dev->name);
	free(users);
}

/* ---- what would be done, see plan.h ---- */

static void plan_create(const struct dm_new *new)
{
	char *table = xasprintf("0 %" PRIu64 " " TARGET_NAME " %s", new->sectors, new->params);
	char *uuid = dm_uuid_new(&new->marks);

	plan_line("dmsetup", "create", new->name, "--uuid", uuid, "--table", table,
		  new->read_only ? "--readonly" : NULL, (char *)NULL);
	free(uuid);
	free(table);
}

static void plan_replace(const struct dm_device *dev, const char *target, const char *params)
{
	char *table = xasprintf("0 %" PRIu64 " %s%s%s", dev->sectors, target, *params ? " " : "", params);

	plan_line("dmsetup", "load", dev->name, "--table", table, dev->read_only ? "--readonly" : NULL, (char *)NULL);
	plan_line("dmsetup", "suspend", "--noflush", "--nolockfs", dev->name, (char *)NULL);
	plan_line("dmsetup", "resume", dev->name, (char *)NULL);
	free(table);
}

static int plan_remove(const struct dm_device *dev, unsigned int flags)
{
	if (dev->open_count && !flags) {
		say_in_use(dev);
		return -EBUSY;
	}
	if (flags & DM_REMOVE_FORCE && dev->target[0])
		plan_replace(dev, "error", "");
	plan_line("dmsetup", "remove", flags ? "--deferred" : "--retry", dev->name, (char *)NULL);
	return 0;
}

/* ---- */

int dm_create(const struct dm_new *new)
{
	int ret;

	if (plan_wanted()) {
		plan_create(new);
		return 0;
	}
	hold_begin();
	ret = create(new);
	hold_end();
	return ret;
}

static bool is_host(const struct dm_device *dev)
{
	struct dm_marks marks;

	dm_uuid_marks(dev->uuid, &marks);
	return marks.host;
}

/*
 * Load the same table again. I/O that was submitted before completes first, without a flush. The table
 * is loaded before the suspend, since that takes memory: I/O that would free some must not wait.
 */
static int replace(const struct dm_device *dev)
{
	int ret = load(dev->name, dev->sectors, TARGET_NAME, dev->params, dev->read_only);

	if (!ret)
		ret = suspend(dev->name);
	if (!ret)
		ret = resume(dev->name, is_host(dev));
	if (ret)
		clear(dev->name);
	return ret;
}

static void say_suspended(const char *name)
{
	cc_error("%s: the device is suspended and I/O waits: fix the cause, then 'cowchain reload %s'; 'cowchain detach --force %s' fails all I/O",
		 name, shell_word(name), shell_word(name));
}

static void say_not_replaced(const struct dm_device *dev, int err, int klog)
{
	cc_error("%s: cannot load the chain again: %s", dev->name, strerror(-err));
	klog_report(klog);
	if (suspended(dev->name))
		say_suspended(dev->name);
}

int dm_reload(const struct dm_device *dev)
{
	int klog, ret;

	if (plan_wanted()) {
		plan_replace(dev, TARGET_NAME, dev->params);
		return 0;
	}
	klog = klog_mark();
	/* A signal between suspend and resume would leave the device suspended. */
	hold_begin();
	ret = replace(dev);
	if (!ret)
		klog_drop(klog);
	else
		say_not_replaced(dev, ret, klog);
	hold_end();
	return ret;
}

/*
 * Fail all I/O of the remaining users from now on, and release the layers. The suspend first, which may
 * wait for as long as a layer does not answer: if it is killed, nothing is left of it, and in particular
 * no table that fails everything and becomes active some day.
 */
static int replace_by_error(const struct dm_device *dev)
{
	int ret = suspend(dev->name);
	bool stopped = !ret && !dev->suspended;

	if (!ret && hold_interrupted())
		ret = -EINTR;
	if (!ret)
		ret = load(dev->name, dev->sectors, "error", "", dev->read_only);
	if (!ret)
		ret = resume(dev->name, is_host(dev));
	if (!ret)
		return 0;
	clear(dev->name);
	if (stopped && resume(dev->name, is_host(dev))) {
		cc_error("%s: cannot replace its table: %s", dev->name, strerror(-ret));
		say_suspended(dev->name);
	} else if (ret == -EINTR) {
		cc_error("%s: interrupted: the device is as it was", dev->name);
	} else {
		cc_error("%s: cannot replace its table: %s", dev->name, strerror(-ret));
	}
	return ret;
}

/* Is the same device still there? */
static void note_leaving(const struct dm_device *dev)
{
	struct dm_device now;
	char *users;

	if (dm_find(dev->name, &now))
		return;
	if (now.leaving && now.dev == dev->dev) {
		users = users_find(dev->dev);
		cc_note("%s: still in use%s%s: it will be removed when its last user closes it",
			dev->name, users ? ": " : "", users ? users : "");
		free(users);
	}
	dm_close(&now);
}

static int change_and_remove(const struct dm_device *dev, unsigned int flags)
{
	bool deferred = flags & DM_REMOVE_DEFERRED;
	int ret;

	if (flags & DM_REMOVE_FORCE && dev->target[0]) {
		ret = replace_by_error(dev);
		if (ret)
			return ret;
		deferred = true;
	}
	ret = deferred ? remove_deferred(dev->name) : remove_now(dev->name);
	if (ret == -EBUSY)
		say_in_use(dev);
	else if (ret)
		cc_error("%s: cannot remove it: %s%s", dev->name, strerror(-ret), dm_remedy(ret));
	else if (deferred)
		note_leaving(dev);
	return ret;
}

int dm_remove(const struct dm_device *dev, unsigned int flags)
{
	int ret;

	if (plan_wanted())
		return plan_remove(dev, flags);
	hold_begin();
	ret = change_and_remove(dev, flags);
	hold_end();
	return ret;
}
