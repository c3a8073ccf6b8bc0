// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks devices up, reads their tables and status, and sends messages.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "dm-task.h"
#include "dm.h"
#include "klog.h"
#include "plan.h"
#include "util.h"

const char *dm_name(const char *arg)
{
	size_t len = strlen(DEV_MAPPER);

	return strncmp(arg, DEV_MAPPER, len) ? arg : arg + len;
}

/* *params gets those of the first target, as long as the task lives. */
static void take_target(struct dm_task *task, struct dm_device *dev, char **params)
{
	char *type = NULL;
	uint64_t start = 0;

	*params = NULL;
	dm_get_next_target(task, NULL, &start, &dev->sectors, &type, params);
	free(dev->target);
	dev->target = xstrdup(type ? type : "");
}

static void take_info(struct dm_task *task, const struct dm_info *info, const char *name,
		      struct dm_device *dev)
{
	dev->name = xstrdup(name);
	dev->uuid = xstrdup(dm_task_get_uuid(task) ?: "");
	dev->dev = makedev(info->major, info->minor);
	dev->open_count = info->open_count;
	dev->read_only = info->read_only;
	dev->suspended = info->suspended;
	dev->leaving = info->deferred_remove;
}

/* Run a task that is about a single device. It may be gone: -ENXIO. */
static int run_on_device(struct dm_task *task, struct dm_info *info)
{
	int ret = task_run(task);

	memset(info, 0, sizeof(*info));
	if (!ret && (!dm_task_get_info(task, info) || !info->exists))
		ret = -ENXIO;
	return ret;
}

/* Without noflush, a target may commit its metadata for a mere status. */
static struct dm_task *status_task(const char *name)
{
	struct dm_task *task = task_new(DM_DEVICE_STATUS, name);

	if (!task || dm_task_no_flush(task))
		return task;
	task_end(task);
	return NULL;
}

/* -EAGAIN: it is no chain any more. Should it be a device with a key by now, that is wiped. */
static int read_table(struct dm_device *dev)
{
	struct dm_task *task = task_new(DM_DEVICE_TABLE, dev->name);
	struct dm_info info;
	char *params;
	int ret = task && dm_task_secure_data(task) ? run_on_device(task, &info) : NO_TASK;

	if (!ret) {
		take_target(task, dev, &params);
		if (dm_is_chain(dev) && params && makedev(info.major, info.minor) == dev->dev)
			dev->params = xstrdup(params);
		else
			ret = -EAGAIN;
	}
	task_end(task);
	return ret;
}

/* Which target it has is found out by its status: tables of others, as of dm-crypt, have keys in them. */
static int look_once(const char *name, struct dm_device *dev)
{
	struct dm_task *task = status_task(name);
	struct dm_info info;
	char *params;
	int ret;

	memset(dev, 0, sizeof(*dev));
	ret = run_on_device(task, &info);
	if (!ret) {
		take_info(task, &info, name, dev);
		take_target(task, dev, &params);
	}
	task_end(task);
	if (!ret && dm_is_chain(dev))
		ret = read_table(dev);
	else if (!ret)
		dev->params = xstrdup("");
	if (ret)
		dm_close(dev);
	return ret;
}

int dm_find(const char *name, struct dm_device *dev)
{
	int ret;

	memset(dev, 0, sizeof(*dev));
	/* For a longer name the library just makes no task. */
	if (strlen(name) > DM_NAME_MAX)
		return -ENAMETOOLONG;
	do
		ret = look_once(name, dev);
	while (ret == -EAGAIN);
	return ret;
}

bool dm_is_chain(const struct dm_device *dev)
{
	return !strcmp(dev->target, TARGET_NAME);
}

bool dm_is_ours(const struct dm_device *dev)
{
	return !strncmp(dev->uuid, DM_UUID_PREFIX, strlen(DM_UUID_PREFIX));
}

static int find_or_say(const char *name, struct dm_device *dev)
{
	int ret = dm_find(name, dev);

	if (ret == -ENXIO)
		cc_error("%s: no such device: 'cowchain list' shows those that exist", name);
	else if (ret == -ENAMETOOLONG)
		cc_error("%s: too long: the name of a device has at most %d bytes", name,
			 DM_NAME_MAX);
	else if (ret)
		cc_error("%s: %s%s", name, strerror(-ret), dm_remedy(ret));
	return ret;
}

static int refuse(struct dm_device *dev)
{
	if (!dev->target[0])
		cc_error("%s: the device has no table%s", dev->name,
			 dm_is_ours(dev) ? ": 'cowchain detach' removes it" : "");
	else
		cc_error("%s: is a device of type %s, not " TARGET_NAME, dev->name, dev->target);
	dm_close(dev);
	return -EINVAL;
}

int dm_open(const char *name, struct dm_device *dev)
{
	int ret = find_or_say(name, dev);

	return ret || dm_is_chain(dev) ? ret : refuse(dev);
}

int dm_open_ours(const char *name, struct dm_device *dev)
{
	int ret = find_or_say(name, dev);

	return ret || dm_is_chain(dev) || dm_is_ours(dev) ? ret : refuse(dev);
}

void dm_close(struct dm_device *dev)
{
	free(dev->name);
	free(dev->uuid);
	free(dev->target);
	free(dev->params);
	memset(dev, 0, sizeof(*dev));
}

void dm_say_exists(const char *name)
{
	struct dm_device dev;

	if (!dm_find(name, &dev) && dev.leaving)
		cc_error("%s: a device of this name is still in use and will be removed when its last user closes it: end that, or take another name",
			 name);
	else
		cc_error("%s: a device of this name exists: detach it or take another name", name);
	dm_close(&dev);
}

int dm_check_free(const char *name)
{
	struct dm_device dev;

	if (dm_find(name, &dev))
		return 0;
	dm_close(&dev);
	dm_say_exists(name);
	return -1;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void take_names(struct dm_task *task, char ***names, size_t *nr)
{
	struct dm_names *entry = dm_task_get_names(task);
	struct dm_device dev;

	if (!entry || !entry->dev)
		return;
	for (;;) {
		/* The device may have been removed since the list was made. */
		if (!dm_find(entry->name, &dev)) {
			if (dm_is_chain(&dev) || dm_is_ours(&dev)) {
				*names = xrealloc(*names, *nr + 1, sizeof(**names));
				(*names)[(*nr)++] = xstrdup(entry->name);
			}
			dm_close(&dev);
		}
		if (!entry->next)
			return;
		entry = (struct dm_names *)((char *)entry + entry->next);
	}
}

int dm_names(char ***names, size_t *nr)
{
	struct dm_task *task = task_new(DM_DEVICE_LIST, NULL);
	int ret = task_run(task);

	*names = NULL;
	*nr = 0;
	if (ret) {
		cc_error("cannot list devices: %s%s", strerror(-ret), dm_remedy(ret));
	} else {
		take_names(task, names, nr);
		if (*nr)
			qsort(*names, *nr, sizeof(**names), compare_names);
	}
	task_end(task);
	return ret;
}

void dm_names_free(char **names, size_t nr)
{
	while (nr)
		free(names[--nr]);
	free(names);
}

/* -EPROTO, with the text that cannot be parsed in *text, which the caller frees. */
static int read_status(const char *name, struct target_status *status, char **text)
{
	struct dm_task *task = status_task(name);
	char *type = NULL, *params = NULL;
	uint64_t start = 0, len = 0;
	struct dm_info info;
	int ret = run_on_device(task, &info);

	*text = NULL;
	if (!ret) {
		dm_get_next_target(task, NULL, &start, &len, &type, &params);
		if (!type || strcmp(type, TARGET_NAME) || !params || status_parse(params, status))
			ret = -EPROTO;
		if (ret)
			*text = xstrdup(params ? params : "");
	}
	task_end(task);
	return ret;
}

static void say_no_status(const char *name, int err, const char *text)
{
	if (err == -EPROTO)
		cc_error("%s: cannot parse its status '%s': are tool and module of the same version?",
			 name, text);
	else
		cc_error("%s: %s", name, err == -ENXIO ? "the device is gone" : strerror(-err));
}

int dm_status(const char *name, struct target_status *status)
{
	char *text;
	int ret = read_status(name, status, &text);

	if (ret)
		say_no_status(name, ret, text);
	free(text);
	return ret;
}

/* -EAGAIN: it was changed between two looks. */
static int look_at(const char *name, struct dm_device *dev, struct target_status *status)
{
	char *text = NULL;
	struct dm_device now;
	int ret = dm_find(name, dev);

	if (ret && ret != -ENXIO)
		cc_error("%s: %s%s", name, strerror(-ret), dm_remedy(ret));
	if (ret || !dm_is_chain(dev))
		return ret;
	ret = read_status(name, status, &text);
	if (ret == -EPROTO && !dm_find(name, &now)) {
		if (!dm_is_chain(&now))
			ret = -EAGAIN;
		dm_close(&now);
	}
	if (ret && ret != -ENXIO && ret != -EAGAIN)
		say_no_status(name, ret, text);
	if (ret)
		dm_close(dev);
	free(text);
	return ret;
}

int dm_look(const char *name, struct dm_device *dev, struct target_status *status)
{
	int ret;

	do
		ret = look_at(name, dev, status);
	while (ret == -EAGAIN);
	if (ret || dm_is_chain(dev) || dm_is_ours(dev))
		return ret;
	dm_close(dev);
	return -ENXIO;
}

static int send_message(struct dm_task *task, const char *const *words)
{
	char *message = message_join(words);
	int ret = NO_TASK;

	if (task && dm_task_set_sector(task, 0) && dm_task_set_message(task, message))
		ret = task_run(task);
	free(message);
	return ret;
}

/* The message as users would write it; with quotes, names would be unreadable. Caller frees. */
static char *show_words(const char *const *words)
{
	struct strbuf sb = { 0 };

	strbuf_add(&sb, *words);
	while (*++words)
		strbuf_addf(&sb, " %s", *words);
	return sb.text;
}

int dm_message(const char *name, const char *const *words)
{
	struct dm_task *task;
	char *message;
	int klog, ret;

	if (plan_wanted()) {
		plan_message(name, words);
		return 0;
	}
	task = task_new(DM_DEVICE_TARGET_MSG, name);
	message = show_words(words);
	klog = klog_mark();
	ret = send_message(task, words);
	if (ret) {
		cc_error("%s: '%s' failed: %s%s", name, message, strerror(-ret),
			 ret == -EPERM || ret == -EACCES ? dm_remedy(ret) : "");
		klog_report(klog);
	} else {
		cc_debug("%s: message '%s'", name, message);
		klog_drop(klog);
	}
	free(message);
	task_end(task);
	return ret;
}

char *dm_ask(const char *name, const char *const *words)
{
	struct dm_task *task = task_new(DM_DEVICE_TARGET_MSG, name);
	const char *answer = NULL;
	char *ret;

	if (!send_message(task, words))
		answer = dm_task_get_message_response(task);
	ret = answer ? xstrdup(answer) : NULL;
	task_end(task);
	return ret;
}
