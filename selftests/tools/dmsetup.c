// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmsetup, as far as the tests call it again and again: create, remove, load, suspend, resume,
 * status, table, message, and two columns of info. It prints what dmsetup prints, and an error of
 * the kernel in the same words. Whatever else it is asked for it leaves to dmsetup.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <linux/dm-ioctl.h>

#include "dmsetup.h"
#include "leave.h"

#define BUFFER	(16u << 10)	/* what dmsetup takes; more if that is too little */

struct call {
	const char *verb;
	const char *name;
	const char *uuid;
	const char *table;
	const char *column;
	uint32_t flags;
	char **words;		/* a message's */
};

static void *zalloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p) {
		fputs("dmsetup: out of memory\n", stderr);
		leave(1);
	}
	return p;
}

/* ---- calls ---- */

static struct dm_ioctl *request(const struct call *c, size_t size)
{
	struct dm_ioctl *d = zalloc(size);

	d->version[0] = DM_VERSION_MAJOR;
	d->data_size = size;
	d->data_start = sizeof(*d);
	d->flags = c->flags;
	snprintf(d->name, sizeof(d->name), "%s", c->name);
	return d;
}

/* Frees @d if it fails. @what is how dmsetup names the call. */
static bool submit(struct dm_ioctl *d, unsigned long nr, const char *what)
{
	int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	int err = fd < 0 || ioctl(fd, nr, d) ? errno : 0;

	if (fd >= 0)
		close(fd);
	if (!err)
		return true;
	fprintf(stderr, "device-mapper: %s ioctl on %s failed: %s\nCommand failed.\n", what, d->name,
		strerror(err));
	free(d);
	return false;
}

static bool simple(const struct call *c, unsigned long nr, const char *what, uint32_t flags)
{
	struct dm_ioctl *d = request(c, sizeof(*d));

	d->flags |= flags;
	if (!submit(d, nr, what))
		return false;
	free(d);
	return true;
}

static void node_path(const char *name, char *path, size_t size)
{
	snprintf(path, size, "/dev/mapper/%s", name);
}

static void make_node(const char *name, uint64_t dev)
{
	char path[DM_NAME_LEN + 16];

	node_path(name, path, sizeof(path));
	unlink(path);
	if (mknod(path, S_IFBLK | 0660, makedev(major(dev), minor(dev))))
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
}

static void remove_node(const char *name)
{
	char path[DM_NAME_LEN + 16];

	node_path(name, path, sizeof(path));
	unlink(path);
}

/* ---- tables ---- */

/* One line to *@d, which grows. False if it is not "START LENGTH TYPE PARAMETERS". */
static bool add_target(struct dm_ioctl **d, const char *line, size_t len)
{
	unsigned long long start;
	unsigned long long length;
	struct dm_target_spec *spec;
	size_t old = (*d)->data_size;
	size_t size;
	char type[DM_MAX_TYPE_NAME];
	int at = 0;
	char *text = strndup(line, len);

	if (!text || sscanf(text, "%llu %llu %15s %n", &start, &length, type, &at) < 3 || !at) {
		free(text);
		return false;
	}
	size = sizeof(*spec) + strlen(text + at) + 1;
	size = (size + 7) / 8 * 8;
	*d = realloc(*d, old + size);
	if (!*d)
		abort();
	spec = (void *)((char *)*d + old);
	memset(spec, 0, size);
	spec->sector_start = start;
	spec->length = length;
	spec->next = size;
	strcpy(spec->target_type, type);
	strcpy((char *)(spec + 1), text + at);
	(*d)->data_size += size;
	(*d)->target_count++;
	free(text);
	return true;
}

static char *read_all(int fd)
{
	size_t used = 0;
	size_t size = 4096;
	char *text = zalloc(size);
	ssize_t n;

	while ((n = read(fd, text + used, size - used - 1)) > 0) {
		used += n;
		if (used + 1 == size) {
			text = realloc(text, size *= 2);
			if (!text)
				abort();
		}
	}
	text[used] = 0;
	return text;
}

static bool do_load(const struct call *c)
{
	struct dm_ioctl *d = request(c, sizeof(*d));
	char *input = c->table ? NULL : read_all(0);
	const char *p = input ? input : c->table;
	bool ok = true;
	size_t len;

	for (; *p && ok; p += len + (p[len] == '\n')) {
		len = strcspn(p, "\n");
		if (len && *p != '#')
			ok = add_target(&d, p, len);
	}
	free(input);
	if (!ok || !d->target_count) {
		fputs("dmsetup: not a table\nCommand failed.\n", stderr);
		free(d);
		return false;
	}
	if (!submit(d, DM_TABLE_LOAD, "reload"))
		return false;
	free(d);
	return true;
}

/* ---- verbs ---- */

static bool do_create(const struct call *c)
{
	struct call bare = *c;
	struct dm_ioctl *d;
	uint64_t dev;

	bare.flags = 0;
	d = request(&bare, sizeof(*d));
	if (c->uuid)
		snprintf(d->uuid, sizeof(d->uuid), "%s", c->uuid);
	if (!submit(d, DM_DEV_CREATE, "create"))
		return false;
	dev = d->dev;
	free(d);
	if (!do_load(c) || !simple(&bare, DM_DEV_SUSPEND, "resume", 0)) {
		simple(&bare, DM_DEV_REMOVE, "remove", 0);
		return false;
	}
	make_node(c->name, dev);
	return true;
}

static bool do_remove(const struct call *c)
{
	if (!simple(c, DM_DEV_REMOVE, "remove", 0))
		return false;
	remove_node(c->name);
	return true;
}

static bool do_suspend(const struct call *c)
{
	return simple(c, DM_DEV_SUSPEND, "suspend", DM_SUSPEND_FLAG);
}

/* A device that was made without a table has no node yet. */
static bool do_resume(const struct call *c)
{
	struct dm_ioctl *d = request(c, sizeof(*d));
	char path[DM_NAME_LEN + 16];

	if (!submit(d, DM_DEV_SUSPEND, "resume"))
		return false;
	node_path(c->name, path, sizeof(path));
	if (access(path, F_OK))
		make_node(c->name, d->dev);
	free(d);
	return true;
}

/* A request with @size bytes for the answer. */
static struct dm_ioctl *message_request(const struct call *c, size_t size)
{
	struct dm_target_msg *msg;
	struct dm_ioctl *d;
	char *text;
	int i;

	for (i = 0; c->words[i]; i++)
		size += strlen(c->words[i]) + 1;
	d = request(c, size);
	msg = (void *)(d + 1);
	text = (char *)(msg + 1);
	for (i = 0; c->words[i]; i++)
		text = stpcpy(stpcpy(text, i ? " " : ""), c->words[i]);
	return d;
}

/* One with a longer answer is sent again, as dmsetup does. */
static bool do_message(const struct call *c)
{
	struct dm_ioctl *d = NULL;
	size_t size;

	for (size = BUFFER; !d; size *= 2) {
		d = message_request(c, size);
		if (!submit(d, DM_TARGET_MSG, "message"))
			return false;
		if (d->flags & DM_BUFFER_FULL_FLAG) {
			free(d);
			d = NULL;
		}
	}
	if (d->flags & DM_DATA_OUT_FLAG)
		puts((char *)d + d->data_start);
	free(d);
	return true;
}

static void print_targets(const struct dm_ioctl *d)
{
	const struct dm_target_spec *spec = (void *)((char *)d + d->data_start);
	const void *first = spec;
	const char *params;
	uint32_t i;

	for (i = 0; i < d->target_count; i++) {
		params = (const char *)(spec + 1);
		printf("%llu %llu %s %s\n", (unsigned long long)spec->sector_start,
		       (unsigned long long)spec->length, spec->target_type, params);
		spec = (void *)((char *)first + spec->next);
	}
}

static bool query(const struct call *c, uint32_t flags, const char *what)
{
	struct dm_ioctl *d = NULL;
	size_t size;

	for (size = BUFFER; !d; size *= 2) {
		d = request(c, size);
		d->flags |= flags;
		if (!submit(d, DM_TABLE_STATUS, what))
			return false;
		if (d->flags & DM_BUFFER_FULL_FLAG) {
			free(d);
			d = NULL;
		}
	}
	print_targets(d);
	free(d);
	return true;
}

static bool do_status(const struct call *c)
{
	return query(c, 0, "status");
}

static bool do_table(const struct call *c)
{
	return query(c, DM_STATUS_TABLE_FLAG, "table");
}

static bool do_info(const struct call *c)
{
	struct dm_ioctl *d = request(c, sizeof(*d));

	if (!submit(d, DM_DEV_STATUS, "info"))
		return false;
	printf("%u\n", !strcmp(c->column, "events") ? d->event_nr : minor(d->dev));
	free(d);
	return true;
}

/* ---- command line ---- */

static const struct verb {
	const char *name;
	const char *options;	/* those that are known here, each with a blank around it */
	bool (*run)(const struct call *c);
} verbs[] = {
	{ "create", " --table --readonly -r --uuid -u ", do_create },
	{ "info", " -c --columns --noheadings -o ", do_info },
	{ "load", " --table --readonly -r ", do_load },
	{ "message", " -- ", do_message },
	{ "remove", " ", do_remove },
	{ "resume", " ", do_resume },
	{ "status", " --noflush ", do_status },
	{ "suspend", " --noflush --nolockfs ", do_suspend },
	{ "table", " ", do_table },
};

/* An option and, for some, its value: how many words that is, 0 if it is not for this verb. */
static int option(const struct verb *v, char **argv, struct call *c)
{
	const char *o = argv[0];
	char word[32];

	if (snprintf(word, sizeof(word), " %s ", o) >= (int)sizeof(word) || !strstr(v->options, word))
		return 0;
	if (!strcmp(o, "--readonly") || !strcmp(o, "-r"))
		c->flags |= DM_READONLY_FLAG;
	else if (!strcmp(o, "--noflush"))
		c->flags |= DM_NOFLUSH_FLAG;
	else if (!strcmp(o, "--nolockfs"))
		c->flags |= DM_SKIP_LOCKFS_FLAG;
	else if (!strcmp(o, "--table"))
		c->table = argv[1];
	else if (!strcmp(o, "--uuid") || !strcmp(o, "-u"))
		c->uuid = argv[1];
	else if (!strcmp(o, "-o"))
		c->column = argv[1];
	else
		return 1;
	if (strcmp(o, "--table") && strcmp(o, "--uuid") && strcmp(o, "-u") && strcmp(o, "-o"))
		return 1;
	return argv[1] ? 2 : 0;
}

/* NULL if that is for dmsetup. */
static const struct verb *parse(int argc, char **argv, struct call *c)
{
	const struct verb *v = NULL;
	int names = 0;
	size_t i;
	int n;
	int a;

	for (i = 0; argc > 1 && i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(argv[1], verbs[i].name))
			v = &verbs[i];
	if (!v)
		return NULL;
	for (a = 2; a < argc; a += n) {
		n = 1;
		if (argv[a][0] == '-') {
			n = option(v, argv + a, c);
			if (!n)
				return NULL;
			continue;
		}
		c->name = argv[a];
		if (names++)
			return NULL;
		/* NAME SECTOR WORD... */
		if (v->run == do_message) {
			if (a + 2 >= argc || strcmp(argv[a + 1], "0"))
				return NULL;
			c->words = argv + a + 2;
			break;
		}
	}
	if (names != 1 || strlen(c->name) >= DM_NAME_LEN || strchr(c->name, '/'))
		return NULL;
	if (v->run == do_info && (!c->column || (strcmp(c->column, "events") &&
						 strcmp(c->column, "minor"))))
		return NULL;
	return v;
}

int dmsetup_main(int argc, char **argv)
{
	struct call c = { 0 };
	const struct verb *v = parse(argc, argv, &c);

	if (!v)
		return run_real(argv);
	return v->run(&c) ? 0 : 1;
}
