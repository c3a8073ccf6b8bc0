// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libdevmapper.h>
#include <linux/dm-ioctl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dm.h"
#include "hold.h"
#include "klog.h"
#include "util.h"

#define DEV_MAPPER "/dev/mapper/"
/* DM_DEV_ARM_POLL came with this version of the interface, Linux 4.13. */
#define DM_MINOR_ARM_POLL 37

/*
 * The host must not look into a guest's disk: no blkid, no partitions, no LVM scan. The node in
 * /dev/mapper stays udev's business.
 */
#define UDEV_FLAGS (DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG | DM_UDEV_DISABLE_DISK_RULES_FLAG | \
		    DM_UDEV_DISABLE_OTHER_RULES_FLAG)

/* The library makes no task, and names no errno, where there is no device-mapper to talk to. */
#define NO_TASK (-ENODEV)

/* libdevmapper prints its own errors otherwise; ours name the remedy. */
static void dm_log(int level, const char *file, int line, int dm_errno, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

static void dm_log(int level, const char *file, int line, int dm_errno, const char *fmt, ...)
{
	va_list ap;

	(void)file;
	(void)line;
	(void)dm_errno;
	if (!cc_debug_on || (level & 7) > 4)
		return;
	fputs("cowchain: debug: libdevmapper: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static struct dm_task *new_task(int type, const char *name)
{
	static bool first = true;
	struct dm_task *task;

	if (first)
		dm_log_with_errno_init(dm_log);
	first = false;
	task = dm_task_create(type);
	if (task && name && !dm_task_set_name(task, name)) {
		dm_task_destroy(task);
		task = NULL;
	}
	return task;
}

/* Runs and returns 0 or the errno of the ioctl. */
static int run_task(struct dm_task *task)
{
	int err;

	if (!task)
		return NO_TASK;
	if (dm_task_run(task))
		return 0;
	err = dm_task_get_errno(task);
	return err ? -err : NO_TASK;
}

static void end_task(struct dm_task *task)
{
	if (task)
		dm_task_destroy(task);
}

/* Runs a task that makes uevents and waits until udev has done its part. */
static int run_with_udev(struct dm_task *task)
{
	uint32_t cookie = 0;
	int ret;

	if (!task || !dm_task_set_cookie(task, &cookie, UDEV_FLAGS))
		return NO_TASK;
	ret = run_task(task);
	dm_udev_wait(cookie);
	/* Nodes made by the library, where there is no udev. */
	dm_task_update_nodes();
	return ret;
}

static const char *remedy(int err)
{
	switch (-err) {
	case EPERM:
	case EACCES:
		return "; this needs root";
	case ENODEV:
	case ENOENT:
		return "; is device-mapper there? try 'modprobe dm-cowchain', as root";
	default:
		return "";
	}
}

const char *dm_name(const char *arg)
{
	size_t len = strlen(DEV_MAPPER);

	return strncmp(arg, DEV_MAPPER, len) ? arg : arg + len;
}

/* Fills in the table's part of dev. */
static void take_table(struct dm_task *task, struct dm_device *dev)
{
	char *type = NULL, *params = NULL;
	uint64_t start = 0;

	dm_get_next_target(task, NULL, &start, &dev->sectors, &type, &params);
	dev->target = xstrdup(type ? type : "");
	dev->params = xstrdup(params ? params : "");
}

int dm_find(const char *name, struct dm_device *dev)
{
	struct dm_task *task = new_task(DM_DEVICE_TABLE, name);
	struct dm_info info;
	int ret;

	memset(dev, 0, sizeof(*dev));
	memset(&info, 0, sizeof(info));
	/* The library would only not make the task. */
	ret = strlen(name) > DM_NAME_MAX ? -ENAMETOOLONG : run_task(task);
	if (!ret && (!dm_task_get_info(task, &info) || !info.exists))
		ret = -ENXIO;
	if (!ret) {
		dev->name = xstrdup(name);
		dev->uuid = xstrdup(dm_task_get_uuid(task) ?: "");
		dev->dev = makedev(info.major, info.minor);
		dev->open_count = info.open_count;
		dev->read_only = info.read_only;
		dev->suspended = info.suspended;
		take_table(task, dev);
	}
	end_task(task);
	return ret;
}

bool dm_is_chain(const struct dm_device *dev)
{
	return !strcmp(dev->target, TARGET_NAME);
}

static bool is_ours(const struct dm_device *dev)
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
		cc_error("%s: %s%s", name, strerror(-ret), remedy(ret));
	return ret;
}

static int refuse(struct dm_device *dev)
{
	if (!dev->target[0])
		cc_error("%s: the device has no table%s", dev->name,
			 is_ours(dev) ? ": 'cowchain detach' removes it" : "");
	else
		cc_error("%s: is a %s device, not " TARGET_NAME, dev->name, dev->target);
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

	return ret || dm_is_chain(dev) || is_ours(dev) ? ret : refuse(dev);
}

void dm_close(struct dm_device *dev)
{
	free(dev->name);
	free(dev->uuid);
	free(dev->target);
	free(dev->params);
	memset(dev, 0, sizeof(*dev));
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
		/* It may be gone by now. */
		if (!dm_find(entry->name, &dev)) {
			if (dm_is_chain(&dev) || is_ours(&dev)) {
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
	struct dm_task *task = new_task(DM_DEVICE_LIST, NULL);
	int ret = run_task(task);

	*names = NULL;
	*nr = 0;
	if (ret) {
		cc_error("cannot list devices: %s%s", strerror(-ret), remedy(ret));
	} else {
		take_names(task, names, nr);
		if (*nr)
			qsort(*names, *nr, sizeof(**names), compare_names);
	}
	end_task(task);
	return ret;
}

void dm_names_free(char **names, size_t nr)
{
	while (nr)
		free(names[--nr]);
	free(names);
}

int dm_status(const char *name, struct target_status *status)
{
	struct dm_task *task = new_task(DM_DEVICE_STATUS, name);
	char *type = NULL, *params = NULL;
	uint64_t start = 0, len = 0;
	struct dm_info info;
	int ret;

	memset(&info, 0, sizeof(info));
	/* Without noflush the kernel suspends nothing either, but might commit first. */
	if (task && !dm_task_no_flush(task))
		ret = NO_TASK;
	else
		ret = run_task(task);
	if (!ret && (!dm_task_get_info(task, &info) || !info.exists))
		ret = -ENXIO;
	if (ret) {
		cc_error("%s: %s", name, ret == -ENXIO ? "the device is gone" : strerror(-ret));
	} else {
		dm_get_next_target(task, NULL, &start, &len, &type, &params);
		if (!type || strcmp(type, TARGET_NAME) || !params || status_parse(params, status)) {
			cc_error("%s: cannot read its status '%s': do the tool and the module belong together?",
				 name, params ? params : "");
			ret = -EPROTO;
		}
	}
	end_task(task);
	return ret;
}

static int send_message(struct dm_task *task, const char *const *words)
{
	char *message = message_join(words);
	int ret = NO_TASK;

	if (task && dm_task_set_sector(task, 0) && dm_task_set_message(task, message))
		ret = run_task(task);
	free(message);
	return ret;
}

/* The message for the eye: its quotes would only make names unreadable. Caller frees. */
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
	struct dm_task *task = new_task(DM_DEVICE_TARGET_MSG, name);
	char *message = show_words(words);
	int klog = klog_mark();
	int ret = send_message(task, words);

	if (ret) {
		cc_error("%s: '%s' failed: %s%s", name, message, strerror(-ret),
			 ret == -EPERM || ret == -EACCES ? remedy(ret) : "");
		klog_report(klog);
	} else {
		cc_debug("%s: message '%s'", name, message);
		klog_drop(klog);
	}
	free(message);
	end_task(task);
	return ret;
}

char *dm_ask(const char *name, const char *const *words)
{
	struct dm_task *task = new_task(DM_DEVICE_TARGET_MSG, name);
	const char *answer = NULL;
	char *ret;

	if (!send_message(task, words))
		answer = dm_task_get_message_response(task);
	ret = answer ? xstrdup(answer) : NULL;
	end_task(task);
	return ret;
}

/* The only target of a device must be of that type. Returns its parameters, or NULL. Caller frees. */
static char *target_params(int what, dev_t dev, const char *want, uint64_t *sectors)
{
	struct dm_task *task = new_task(what, NULL);
	char *type = NULL, *params = NULL, *ret = NULL;
	uint64_t start = 0;

	if (task && dm_task_set_major(task, (int)major(dev)) &&
	    dm_task_set_minor(task, (int)minor(dev)) && dm_task_no_flush(task) && !run_task(task) &&
	    !dm_get_next_target(task, NULL, &start, sectors, &type, &params) && type && params &&
	    !strcmp(type, want))
		ret = xstrdup(params);
	end_task(task);
	return ret;
}

/* thin-provisioning.rst: what the pool says of itself. */
static int pool_room(dev_t pool, struct dm_thin *thin)
{
	uint64_t sectors, used, total, block;
	char *table = target_params(DM_DEVICE_TABLE, pool, "thin-pool", &sectors);
	char *status = target_params(DM_DEVICE_STATUS, pool, "thin-pool", &sectors);
	int ret = -ENODEV;

	if (table && status && sscanf(table, "%*s %*s %" SCNu64, &block) == 1 &&
	    sscanf(status, "%*u %*u/%*u %" SCNu64 "/%" SCNu64, &used, &total) == 2 &&
	    used <= total) {
		thin->block = block * SECTOR_SIZE;
		thin->free = (total - used) * thin->block;
		ret = 0;
	}
	free(table);
	free(status);
	return ret;
}

int dm_thin_room(dev_t dev, struct dm_thin *thin)
{
	uint64_t sectors, mapped;
	char *table = target_params(DM_DEVICE_TABLE, dev, "thin", &sectors);
	char *status = target_params(DM_DEVICE_STATUS, dev, "thin", &sectors);
	unsigned int maj, min;
	int ret = -ENODEV;

	if (table && status && sscanf(table, "%u:%u", &maj, &min) == 2 &&
	    sscanf(status, "%" SCNu64, &mapped) == 1) {
		thin->size = sectors * SECTOR_SIZE;
		thin->mapped = mapped * SECTOR_SIZE;
		ret = pool_room(makedev(maj, min), thin);
	}
	free(table);
	free(status);
	return ret;
}

/* COWCHAIN- and 32 random hexadecimal digits: names may be used again, UUIDs are not. */
static char *new_uuid(void)
{
	struct strbuf sb = { 0 };
	uint8_t random[16];
	size_t i;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		memset(random, 0, sizeof(random));
	strbuf_add(&sb, DM_UUID_PREFIX);
	for (i = 0; i < sizeof(random); i++)
		strbuf_addf(&sb, "%02x", random[i]);
	return sb.text;
}

static int create_empty(const char *name)
{
	struct dm_task *task = new_task(DM_DEVICE_CREATE, name);
	char *uuid = new_uuid();
	int ret = NO_TASK;

	if (task && dm_task_set_uuid(task, uuid))
		ret = run_task(task);
	end_task(task);
	free(uuid);
	return ret;
}

static int load(const char *name, uint64_t sectors, const char *target, const char *params,
		bool read_only)
{
	struct dm_task *task = new_task(DM_DEVICE_RELOAD, name);
	int ret = NO_TASK;

	cc_debug("%s: table '0 %" PRIu64 " %s %s'", name, sectors, target, params);
	if (task && dm_task_add_target(task, 0, sectors, target, params) &&
	    (!read_only || dm_task_set_ro(task)))
		ret = run_task(task);
	end_task(task);
	return ret;
}

static int suspend_noflush(const char *name)
{
	struct dm_task *task = new_task(DM_DEVICE_SUSPEND, name);
	int ret = NO_TASK;

	if (task && dm_task_no_flush(task) && dm_task_skip_lockfs(task))
		ret = run_task(task);
	end_task(task);
	return ret;
}

static int resume(const char *name)
{
	struct dm_task *task = new_task(DM_DEVICE_RESUME, name);
	int ret = run_with_udev(task);

	end_task(task);
	return ret;
}

static int remove_device(const char *name, bool deferred)
{
	struct dm_task *task = new_task(DM_DEVICE_REMOVE, name);
	int ret = NO_TASK;

	/* Scanners open devices for moments: the library tries again for a while. */
	if (task && dm_task_retry_remove(task) && (!deferred || dm_task_deferred_remove(task)))
		ret = run_with_udev(task);
	end_task(task);
	return ret;
}

static int create(const char *name, uint64_t sectors, const char *params, bool read_only)
{
	int klog = klog_mark();
	int ret = create_empty(name);

	if (ret) {
		if (ret == -EBUSY || ret == -EEXIST)
			cc_error("%s: a device of this name exists: detach it or take another name",
				 name);
		else
			cc_error("%s: cannot create the device: %s%s", name, strerror(-ret),
				 remedy(ret));
		klog_drop(klog);
		return ret;
	}
	ret = load(name, sectors, TARGET_NAME, params, read_only);
	if (ret)
		cc_error("%s: the kernel refuses the chain: %s", name, strerror(-ret));
	if (!ret) {
		ret = resume(name);
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
		cc_error("is the module there? try 'modprobe dm-cowchain'; 'dmesg' has more");
	remove_device(name, false);
	return ret;
}

int dm_create(const char *name, uint64_t sectors, const char *params, bool read_only)
{
	int ret;

	hold_begin();
	ret = create(name, sectors, params, read_only);
	hold_end();
	return ret;
}

/* Another table; what was submitted before ends first, as it may. */
static int replace(const struct dm_device *dev, const char *target, const char *params)
{
	int ret = load(dev->name, dev->sectors, target, params, dev->read_only);

	if (!ret)
		ret = suspend_noflush(dev->name);
	return ret ? ret : resume(dev->name);
}

static bool suspended(const char *name)
{
	struct dm_task *task = new_task(DM_DEVICE_INFO, name);
	struct dm_info info;
	bool is = task && !run_task(task) && dm_task_get_info(task, &info) && info.suspended;

	end_task(task);
	return is;
}

int dm_reload(const struct dm_device *dev)
{
	int klog = klog_mark(), ret;

	/* Not interrupted between suspend and resume. */
	hold_begin();
	ret = replace(dev, TARGET_NAME, dev->params);
	hold_end();
	if (!ret) {
		klog_drop(klog);
		return 0;
	}
	cc_error("%s: cannot load the chain again: %s", dev->name, strerror(-ret));
	klog_report(klog);
	if (suspended(dev->name))
		cc_error("%s: it is suspended, and I/O waits: mend that, then 'cowchain reload %s'; 'cowchain detach --force %s' ends all I/O with errors",
			 dev->name, dev->name, dev->name);
	return ret;
}

/* All I/O of those who still have it open fails from now on, and the layers are let go. */
static int replace_by_error(const struct dm_device *dev)
{
	int ret = replace(dev, "error", "");

	if (ret)
		cc_error("%s: cannot replace its table: %s", dev->name, strerror(-ret));
	return ret;
}

int dm_remove(const struct dm_device *dev, unsigned int flags)
{
	bool deferred = flags & DM_REMOVE_DEFERRED;
	int ret;

	if (flags & DM_REMOVE_FORCE && dev->target[0]) {
		ret = replace_by_error(dev);
		if (ret)
			return ret;
		deferred = true;
	}
	ret = remove_device(dev->name, deferred);
	if (ret == -EBUSY)
		cc_error("%s: in use: unmount it, stop who has it open ('lsof " DEV_MAPPER "%s'), or give --deferred",
			 dev->name, dev->name);
	else if (ret)
		cc_error("%s: cannot remove it: %s%s", dev->name, strerror(-ret), remedy(ret));
	return ret;
}

int dm_watch_open(void)
{
	int fd = open(DEV_MAPPER DM_CONTROL_NODE, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		int ret = -errno;

		cc_error(DEV_MAPPER DM_CONTROL_NODE ": %s%s", strerror(-ret), remedy(ret));
		return ret;
	}
	return fd;
}

int dm_watch_arm(int watch)
{
	struct dm_ioctl arg = {
		.version = { DM_VERSION_MAJOR, DM_MINOR_ARM_POLL, 0 },
		.data_size = sizeof(arg),
		.data_start = sizeof(arg),
	};

	if (!ioctl(watch, DM_DEV_ARM_POLL, &arg))
		return 0;
	cc_error("cannot wait for device-mapper events: %s", strerror(errno));
	return -errno;
}

int dm_watch_wait(int watch, int timeout_ms)
{
	struct pollfd pfd = { .fd = watch, .events = POLLIN };
	int ret = poll(&pfd, 1, timeout_ms);

	if (ret < 0 && errno != EINTR)
		cc_error("cannot wait for device-mapper events: %s", strerror(errno));
	return ret < 0 ? -errno : ret > 0;
}
