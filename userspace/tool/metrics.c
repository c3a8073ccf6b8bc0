// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of chains in the text format of Prometheus. All samples of a metric have to follow its description, so each
 * metric goes through all chains.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "devno.h"
#include "metrics.h"
#include "safe-text.h"
#include "util.h"

#define PREFIX "cowchain_"

/* The value of a label. The format knows three escapes; what a terminal obeys is not shown as it is. */
static void add_label(struct strbuf *sb, const char *name, const char *value)
{
	char *utf8 = xcalloc(SAFE_UTF8_ROOM(strlen(value)), 1), *safe, *p;

	safe_utf8(utf8, value);
	safe = xsafe_text(utf8);
	strbuf_addf(sb, "%s=\"", name);
	for (p = safe; *p; p++)
		strbuf_addf(sb, *p == '\\' || *p == '"' ? "\\%c" : "%c", *p);
	strbuf_add(sb, "\"");
	free(safe);
	free(utf8);
}

static void describe(struct strbuf *sb, const char *metric, const char *type, const char *help)
{
	strbuf_addf(sb, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", metric, help, metric, type);
}

static void begin(struct strbuf *sb, const char *metric, const struct metrics_chain *chain)
{
	strbuf_addf(sb, PREFIX "%s{", metric);
	add_label(sb, "name", chain->dev.name);
}

/* ---- numbers ---- */

/* Returns false if the chain has no such number. */
typedef bool (*number_fn)(const struct metrics_chain *chain, uint64_t *number);

static bool get_size(const struct metrics_chain *chain, uint64_t *number)
{
	*number = chain->dev.sectors * SECTOR_SIZE;
	return true;
}

static bool get_open(const struct metrics_chain *chain, uint64_t *number)
{
	*number = (uint64_t)chain->dev.open_count;
	return true;
}

static bool get_suspended(const struct metrics_chain *chain, uint64_t *number)
{
	*number = chain->dev.suspended;
	return true;
}

static bool get_pending(const struct metrics_chain *chain, uint64_t *number)
{
	*number = chain->dev.leaving;
	return true;
}

static bool get_layers(const struct metrics_chain *chain, uint64_t *number)
{
	*number = chain->status.nr_layers;
	return !chain->no_chain;
}

static bool get_allocated(const struct metrics_chain *chain, uint64_t *number)
{
	*number = chain->status.allocated * chain->status.subcluster;
	return !chain->no_chain && chain->status.counted;
}

static bool has_job(const struct metrics_chain *chain)
{
	return !chain->no_chain && chain->status.job.present;
}

static bool get_job_offset(const struct metrics_chain *chain, uint64_t *number)
{
	*number = chain->status.job.offset;
	return has_job(chain);
}

static bool get_job_length(const struct metrics_chain *chain, uint64_t *number)
{
	*number = chain->status.job.len;
	return has_job(chain);
}

static bool get_job_limit(const struct metrics_chain *chain, uint64_t *number)
{
	*number = chain->status.job.speed;
	return has_job(chain);
}

static bool get_job_failed(const struct metrics_chain *chain, uint64_t *number)
{
	*number = chain->status.job.error || strcmp(chain->status.job.io_status, "ok");
	return has_job(chain);
}

static bool get_job_verified(const struct metrics_chain *chain, uint64_t *number)
{
	*number = chain->status.job.verified;
	return has_job(chain) && chain->status.job.verify;
}

static bool get_job_base(const struct metrics_chain *chain, uint64_t *number)
{
	*number = (uint64_t)chain->status.job.base;
	return has_job(chain) && chain->status.job.base >= 0;
}

static bool get_job_top(const struct metrics_chain *chain, uint64_t *number)
{
	*number = (uint64_t)chain->status.job.top;
	return has_job(chain) && chain->status.job.top >= 0;
}

static const struct {
	const char *metric;
	const char *help;
	number_fn get;
} gauges[] = {
	{ "size_bytes", "Size of the disk.", get_size },
	{ "layers", "Number of layers.", get_layers },
	{ "top_allocated_bytes", "What the top has data for.", get_allocated },
	{ "open", "How often the device is open.", get_open },
	{ "suspended", "Whether the device is suspended.", get_suspended },
	{ "removal_pending", "Whether the device is removed when its last user closes it.", get_pending },
	{ "job_offset_bytes", "How far the job is.", get_job_offset },
	{ "job_length_bytes", "How far the job has to go.", get_job_length },
	{ "job_speed_limit_bytes", "Limit of the job per second, 0 for none.", get_job_limit },
	{ "job_error", "Whether the job was ended or stopped by an error.", get_job_failed },
	{ "job_verified_bytes", "What the job has read back and found right.", get_job_verified },
	{ "job_base_layer", "Number of the base of the job.", get_job_base },
	{ "job_top_layer", "Number of the layer that a stream goes into, or of the topmost one that is committed.",
	  get_job_top },
};

static void add_gauges(struct strbuf *sb, const struct metrics_chain *chains, size_t nr)
{
	uint64_t number;
	size_t i, c;

	for (i = 0; i < ARRAY_SIZE(gauges); i++) {
		describe(sb, gauges[i].metric, "gauge", gauges[i].help);
		for (c = 0; c < nr; c++) {
			if (!gauges[i].get(&chains[c], &number))
				continue;
			begin(sb, gauges[i].metric, &chains[c]);
			strbuf_addf(sb, "} %" PRIu64 "\n", number);
		}
	}
}

/* ---- counters of I/O ---- */

static const char *const io_names[IO_KINDS] = {
	[IO_READ] = "read", [IO_WRITE] = "write", [IO_DISCARD] = "discard", [IO_FLUSH] = "flush",
};

static void add_io(struct strbuf *sb, const char *metric, const struct metrics_chain *chain, enum io_kind kind)
{
	begin(sb, metric, chain);
	strbuf_add(sb, ",");
	add_label(sb, "operation", io_names[kind]);
	strbuf_add(sb, "} ");
}

static void add_requests(struct strbuf *sb, const struct metrics_chain *chain, enum io_kind kind)
{
	add_io(sb, "requests_total", chain, kind);
	strbuf_addf(sb, "%" PRIu64 "\n", chain->io.done[kind]);
}

static void add_bytes(struct strbuf *sb, const struct metrics_chain *chain, enum io_kind kind)
{
	if (kind == IO_FLUSH)
		return;
	add_io(sb, "bytes_total", chain, kind);
	strbuf_addf(sb, "%" PRIu64 "\n", chain->io.bytes[kind]);
}

static void add_seconds(struct strbuf *sb, const struct metrics_chain *chain, enum io_kind kind)
{
	add_io(sb, "seconds_total", chain, kind);
	strbuf_addf(sb, "%" PRIu64 ".%03u\n", chain->io.ms[kind] / 1000, (unsigned int)(chain->io.ms[kind] % 1000));
}

static void add_counter(struct strbuf *sb, const struct metrics_chain *chains, size_t nr,
			void (*add)(struct strbuf *sb, const struct metrics_chain *chain, enum io_kind kind))
{
	enum io_kind kind;
	size_t c;

	for (c = 0; c < nr; c++)
		for (kind = 0; chains[c].has_io && kind < IO_KINDS; kind++)
			add(sb, &chains[c], kind);
}

static void add_counters(struct strbuf *sb, const struct metrics_chain *chains, size_t nr)
{
	describe(sb, "requests_total", "counter", "Requests that the device has completed.");
	add_counter(sb, chains, nr, add_requests);
	describe(sb, "bytes_total", "counter", "Bytes of these requests.");
	add_counter(sb, chains, nr, add_bytes);
	describe(sb, "seconds_total", "counter", "Time that these requests took, added up.");
	add_counter(sb, chains, nr, add_seconds);
}

/* ---- words ---- */

static void add_info(struct strbuf *sb, const struct metrics_chain *chains, size_t nr)
{
	char *dev;
	size_t c;

	describe(sb, "info", "gauge", "A device and its top.");
	for (c = 0; c < nr; c++) {
		dev = devno_format(chains[c].dev.dev);
		begin(sb, "info", &chains[c]);
		strbuf_add(sb, ",");
		add_label(sb, "device", dev);
		strbuf_add(sb, ",");
		add_label(sb, "uuid", chains[c].dev.uuid);
		strbuf_add(sb, ",");
		add_label(sb, "top", chains[c].top ? chains[c].top : "");
		strbuf_add(sb, "} 1\n");
		free(dev);
	}
}

/* A sample for each mode, of which one is 1: so an alert needs no other label. */
static void add_modes(struct strbuf *sb, const struct metrics_chain *chains, size_t nr)
{
	static const char *const modes[] = { "rw", "ro", "fail", "none" };
	const char *is;
	size_t c, i;

	describe(sb, "mode", "gauge", "Whether the device has this mode; none: it shows no chain.");
	for (c = 0; c < nr; c++) {
		is = chains[c].no_chain ? "none" : chains[c].status.mode;
		for (i = 0; i < ARRAY_SIZE(modes); i++) {
			begin(sb, "mode", &chains[c]);
			strbuf_add(sb, ",");
			add_label(sb, "mode", modes[i]);
			strbuf_addf(sb, "} %d\n", !strcmp(is, modes[i]));
		}
	}
}

static void add_jobs(struct strbuf *sb, const struct metrics_chain *chains, size_t nr)
{
	const struct target_job *job;
	size_t c;

	describe(sb, "job_info", "gauge", "A job and its state.");
	for (c = 0; c < nr; c++) {
		if (!has_job(&chains[c]))
			continue;
		job = &chains[c].status.job;
		begin(sb, "job_info", &chains[c]);
		strbuf_add(sb, ",");
		add_label(sb, "job", job->type);
		strbuf_add(sb, ",");
		add_label(sb, "state", job->state);
		strbuf_add(sb, ",");
		add_label(sb, "io_status", job->io_status);
		strbuf_add(sb, "} 1\n");
	}
}

char *metrics_format(const struct metrics_chain *chains, size_t nr)
{
	struct strbuf sb = { 0 };

	describe(&sb, "chains", "gauge", "Number of devices.");
	strbuf_addf(&sb, PREFIX "chains %zu\n", nr);
	add_info(&sb, chains, nr);
	add_modes(&sb, chains, nr);
	add_gauges(&sb, chains, nr);
	add_jobs(&sb, chains, nr);
	add_counters(&sb, chains, nr);
	return sb.text;
}
