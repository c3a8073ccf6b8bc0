// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options that several verbs share, and how their values are parsed.
 */
#include <limits.h>
#include <string.h>

#include "create.h"
#include "dm.h"
#include "number.h"
#include "options.h"
#include "safe-text.h"
#include "util.h"

const struct opt opt_format = {
	.id = OPT_FORMAT,
	.name = "format",
	.letter = 'f',
	.value = "FORMAT",
	.words = FORMAT_WORDS,
	.help = "format of the top itself: qcow2 (default) or raw (read-only)",
};

const struct opt opt_backing_format = {
	.id = OPT_BACKING_FORMAT,
	.name = "backing-format",
	.letter = 'F',
	.value = "FORMAT",
	.words = FORMAT_WORDS,
	.help = "where a header does not name the format of its backing file",
};

const struct opt opt_allow_dir = {
	.id = OPT_ALLOW_DIR,
	.name = "allow-dir",
	.letter = 'a',
	.value = "DIR",
	.complete = COMPLETE_DIR,
	.help = "also follow names into DIR, not only below an image's own\n"
		"directory; may be repeated",
};

const struct opt opt_no_lock = {
	.id = OPT_NO_LOCK,
	.name = "no-lock",
	.help = "ignore image locks and take none",
};

const struct opt opt_data_file = {
	.id = OPT_DATA_FILE,
	.name = "data-file",
	.value = "FILE",
	.complete = COMPLETE_FILE,
	.help = "keep the guest's data in FILE, which is a plain raw disk once\n"
		"everything is streamed in",
};

const struct opt opt_cluster_size = {
	.id = OPT_CLUSTER_SIZE,
	.name = "cluster-size",
	.value = "SIZE",
	.words = "128K 256K 512K 1M 2M",
	.help = "128K (default) to 2M",
};

const struct opt opt_reserve = {
	.id = OPT_RESERVE,
	.name = "reserve",
	.help = "allocate all of its space on the file system now",
};

const struct opt opt_size = {
	.id = OPT_SIZE,
	.name = "size",
	.letter = 's',
	.value = "SIZE",
	.help = "size of the new disk; K, M, G, T may follow; default: that of the\n"
		"layer below",
};

const struct opt opt_overwrite = {
	.id = OPT_FORCE,
	.name = "force",
	.help = "overwrite what exists, also the contents of a block device",
};

const struct opt opt_speed = {
	.id = OPT_SPEED,
	.name = "speed",
	.value = "BYTES",
	.help = "limit per second; K, M or G may follow; 0: no limit",
};

const struct opt opt_bandwidth = {
	.id = OPT_BANDWIDTH,
	.name = "bandwidth",
	.value = "N",
	.help = "the same in MiB per second",
};

const struct opt opt_bandwidth_bytes = {
	.id = OPT_BANDWIDTH_BYTES,
	.name = "bytes",
	.old = true,
	.help = "--bandwidth is in bytes",
};

const struct opt opt_on_error = {
	.id = OPT_ON_ERROR,
	.name = "on-error",
	.value = "POLICY",
	.words = "report stop enospc",
	.help = "report, stop, or enospc (default): stop when space runs out,\n"
		"report all other errors",
};

const struct opt opt_verify = {
	.id = OPT_VERIFY,
	.name = "verify",
	.help = "read back what is copied, and compare, before the chain changes",
};

const struct opt opt_wait = {
	.id = OPT_WAIT,
	.name = "wait",
	.also = "verbose",
	.help = "until the job is concluded, with a progress line",
};

const struct opt opt_quiet = {
	.id = OPT_QUIET,
	.name = "quiet",
	.letter = 'q',
	.help = "no progress line",
};

const struct opt opt_timeout = {
	.id = OPT_TIMEOUT,
	.name = "timeout",
	.value = "SECONDS",
	.help = "stop waiting after that time; the job continues",
};

const struct opt opt_json = {
	.id = OPT_JSON,
	.name = "json",
	.letter = 'J',
	.help = "as JSON; sizes are in bytes",
};

const struct opt opt_noheadings = {
	.id = OPT_NOHEADINGS,
	.name = "noheadings",
	.letter = 'n',
	.help = "no heading line",
};

const struct opt opt_bytes = {
	.id = OPT_BYTES,
	.name = "bytes",
	.old_letter = 'b',
	.help = "sizes in bytes",
};

const struct opt opt_dry_run = {
	.id = OPT_DRY_RUN,
	.name = "dry-run",
	.help = "change nothing: print the lines of shell that would do it",
};

int take_kind(const char *verb, const char *option, const char *value, enum layer_kind *kind)
{
	if (!kind_parse(value, kind))
		return 0;
	return cc_usage(verb, "--%s %s: must be raw or qcow2", option, value);
}

int take_device_name(const char *verb, const char *name)
{
	if (!name[0] || name[0] == '-' || strchr(name, '/') || !safe_text_is(name))
		return cc_usage(verb, "'%s' cannot be the name of a device", name);
	if (strlen(name) > DM_NAME_MAX)
		return cc_usage(verb, "'%s' is too long: the name of a device has at most %d bytes", name, DM_NAME_MAX);
	return 0;
}

int take_disk_size(const char *verb, const char *value, uint64_t *bytes)
{
	uint64_t size;

	if (parse_size(value, &size) || !size || size % SECTOR_SIZE)
		return cc_usage(verb, "--size %s: must be a multiple of %d bytes", value, SECTOR_SIZE);
	if (bytes)
		*bytes = size;
	return 0;
}

int take_cluster_size(const char *verb, const char *value, uint64_t *bytes)
{
	if (!parse_size(value, bytes) && *bytes >= DEFAULT_CLUSTER_SIZE &&
	    *bytes <= MAX_CLUSTER_SIZE && !(*bytes & (*bytes - 1)))
		return 0;
	return cc_usage(verb, "--cluster-size %s: must be 128K, 256K, 512K, 1M or 2M", value);
}

int take_timeout(const char *verb, const char *option, const char *value, unsigned int *seconds)
{
	uint64_t v;

	/* poll() takes an int of milliseconds. */
	if (parse_u64(value, &v) || !v || v > INT_MAX / 1000)
		return cc_usage(verb, "--%s %s: must be a number of seconds", option, value);
	*seconds = (unsigned int)v;
	return 0;
}
