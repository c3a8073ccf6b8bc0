/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Options that several verbs share.
 */
#ifndef COWCHAIN_OPTIONS_H
#define COWCHAIN_OPTIONS_H

#include <stdint.h>

#include "target.h"
#include "verb.h"

/*
 * Values above those of characters, which getopt_long() returns for letters. The options of a
 * single verb begin with OPT_OWN.
 */
enum opt_id {
	OPT_FORMAT = 256,
	OPT_BACKING_FORMAT,
	OPT_ALLOW_DIR,
	OPT_NO_LOCK,
	OPT_BACKING_FILE,
	OPT_DATA_FILE,
	OPT_CLUSTER_SIZE,
	OPT_RESERVE,
	OPT_SIZE,
	OPT_SPEED,		/* to OPT_FORCE: of a job */
	OPT_BANDWIDTH,
	OPT_BANDWIDTH_BYTES,
	OPT_ON_ERROR,
	OPT_VERIFY,
	OPT_WAIT,
	OPT_QUIET,
	OPT_TIMEOUT,
	OPT_FORCE,
	OPT_JSON,
	OPT_NOHEADINGS,
	OPT_BYTES,
	OPT_DRY_RUN,
	OPT_OWN,
};

/* For opt.words. */
#define FORMAT_WORDS "raw qcow2"

/* How an image is read: attach, info. */
extern const struct opt opt_format, opt_backing_format, opt_allow_dir, opt_no_lock;

/* How a new image is made: create, attach; all but the last two: snapshot, copy. */
extern const struct opt opt_data_file, opt_cluster_size, opt_reserve, opt_size, opt_overwrite;

#define NEW_IMAGE_OPTIONS &opt_data_file, &opt_cluster_size, &opt_reserve

/* Of a job: stream, commit, copy; the last two of wait, too. */
extern const struct opt opt_speed, opt_bandwidth, opt_bandwidth_bytes, opt_on_error, opt_verify,
	opt_wait, opt_quiet, opt_timeout;

#define JOB_OPTIONS \
	&opt_speed, &opt_bandwidth, &opt_bandwidth_bytes, &opt_on_error, &opt_verify, &opt_wait, \
	&opt_quiet, &opt_timeout

/* Of a table that is shown: job, status, list, info. */
extern const struct opt opt_json, opt_noheadings, opt_bytes;

/* Of what changes a chain: taken by verb_parse(), see struct verb. */
extern const struct opt opt_dry_run;

#define TABLE_OPTIONS &opt_json, &opt_noheadings, &opt_bytes

/* Parse a value for the verb. Return 0, or CC_USAGE after a message. */
int take_kind(const char *verb, const char *option, const char *value, enum layer_kind *kind);
/* Can a new device have this name? */
int take_device_name(const char *verb, const char *name);
/* bytes may be NULL. */
int take_disk_size(const char *verb, const char *value, uint64_t *bytes);
int take_cluster_size(const char *verb, const char *value, uint64_t *bytes);
int take_timeout(const char *verb, const char *option, const char *value, unsigned int *seconds);

#endif
