// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain record: notes which parts of a disk are read first, for "cowchain stream --first".
 */
#include <string.h>
#include <unistd.h>

#include "dm.h"
#include "keys.h"
#include "number.h"
#include "options.h"
#include "parts-file.h"
#include "parts.h"
#include "progress-show.h"
#include "reads.h"
#include "result.h"
#include "target.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = { "NAME FILE [--seconds SECONDS] [--force]", NULL };

static const struct operand operands[] = {
	{ "NAME", .complete = COMPLETE_DEVICE },
	{ "FILE", .complete = COMPLETE_FILE },
	{ 0 },
};

enum { OPT_SECONDS = OPT_OWN, OPT_OVERWRITE };

static const struct opt opt_seconds = {
	.id = OPT_SECONDS,
	.name = "seconds",
	.value = "SECONDS",
	.help = "how long; default: until q or Ctrl-C",
};

static const struct opt opt_force = {
	.id = OPT_OVERWRITE,
	.name = "force",
	.help = "even if there is such a file: it is overwritten",
};

static const struct opt *const options[] = { &opt_seconds, &opt_force, &opt_json, NULL };

static const char *const examples[] = {
	"cowchain record vm boot.parts --seconds 60",
	"cowchain stream vm2 --first boot.parts --wait",
	NULL,
};

/* How often the trace is read, in seconds: if there was nothing more, and otherwise. */
#define STEP 0.1
#define SHORT_STEP 0.001

/* What is taken in one go, so that time and signals are looked at. */
#define FILLS_MAX 64

struct args {
	unsigned int seconds;	/* 0: no limit */
	bool force;
};

static int take_option(int id, const char *value, void *data)
{
	struct args *args = data;

	switch (id) {
	case OPT_SECONDS:
		return take_timeout("record", "seconds", value, &args->seconds);
	case OPT_OVERWRITE:
		args->force = true;
		return 0;
	default:
		return 0;
	}
}

/* A part of what has come. Returns true if that was all. */
static bool drain(struct reads *reads, struct parts *parts)
{
	struct one_read one;
	unsigned int i;

	for (i = 0; i < FILLS_MAX && !parts->full; i++) {
		if (!reads_fill(reads))
			return true;
		while (reads_next(reads, &one))
			parts_add(parts, one.offset, one.length);
	}
	return parts->full;
}

/* Another device may have its name, and its number, by now. */
static bool is_there(const struct dm_device *dev)
{
	struct dm_device now;
	bool same;

	if (dm_find(dev->name, &now))
		return false;
	same = now.dev == dev->dev && !strcmp(now.uuid, dev->uuid);
	dm_close(&now);
	return same;
}

/* Until the time is over, a key or a signal comes, the device goes, or there is no place for more. */
static void follow(const struct dm_device *dev, const struct args *args, struct reads *reads, struct parts *parts)
{
	double end = progress_now() + args->seconds;
	bool all;

	do {
		all = drain(reads, parts);
	} while (!parts->full && (!args->seconds || progress_now() < end) && is_there(dev) &&
		 !keys_wait(all ? STEP : SHORT_STEP));
	/* The rest has an end only if nothing comes behind it. */
	if (reads_stop(reads))
		return;
	while (!drain(reads, parts))
		;
}

static void tell(const struct reads *reads, const struct parts *parts)
{
	char size[HUMAN_LEN];

	result_number("parts", parts->nr);
	result_number("bytes", parts->bytes);
	cc_note("%zu parts, %s", parts->nr, human_size(parts->bytes, size));
	if (reads->lost)
		cc_note("there was more than could be followed, so some reads are missing");
	if (parts->full)
		cc_note("there is no place for more than %d parts", PARTS_MAX);
}

static int follow_and_save(const struct dm_device *dev, const struct args *args, const struct new_file *file)
{
	struct parts parts = { 0 };
	struct reads reads;
	int ret;

	if (reads_open(&reads, dev->dev, 0, TARGET_MAX_LAYERS))
		return -1;
	follow(dev, args, &reads, &parts);
	reads_close(&reads);
	ret = parts_file_save(file, &parts);
	if (!ret)
		tell(&reads, &parts);
	parts_free(&parts);
	return ret;
}

/* The file is opened before anything is traced, so that nothing is traced in vain. */
static int record(const struct dm_device *dev, const char *path, const struct args *args)
{
	struct new_file file;
	int ret;

	/* Also before there is anything that a signal would leave. */
	keys_begin();
	ret = parts_file_open(&file, path, args->force);
	if (!ret) {
		ret = follow_and_save(dev, args, &file);
		if (ret)
			new_file_remove(&file);
		new_file_close(&file);
	}
	keys_done();
	return ret ? CC_FAILED : CC_OK;
}

static int run(int argc, char **argv)
{
	struct args args = { 0 };
	struct dm_device dev;
	int ret = verb_parse(&cmd_record, argc, argv, take_option, &args);

	if (ret)
		return ret;
	if (argc - optind != 2)
		return cc_usage("record", "a device and a file are needed");
	result_text("name", dm_name(argv[optind]));
	result_text("file", argv[optind + 1]);
	if (dm_open(dm_name(argv[optind]), &dev))
		return CC_FAILED;
	ret = record(&dev, argv[optind + 1], &args);
	dm_close(&dev);
	return ret;
}

const struct verb cmd_record = {
	.name = "record",
	.usage = usage,
	.summary = "note which parts of a disk are read, in their order",
	.operands = operands,
	.options = options,
	.details =
		"\n  FILE is a text with a line for each part: offset and length in bytes. It is written\n"
		"  at the end, and a signal is as good an end as the key.\n",
	.examples = examples,
	.result = true,
	.run = run,
};
