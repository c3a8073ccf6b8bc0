// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shows what chains do.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "json.h"
#include "number.h"
#include "rates-print.h"
#include "rates.h"
#include "show.h"
#include "tree.h"
#include "util.h"

static const struct out_column columns[] = {
	{ "NAME", NULL, OUT_TEXT },
	{ "MODE", NULL, OUT_TEXT },
	{ "READ/s", NULL, OUT_SIZE },
	{ "WRITE/s", NULL, OUT_SIZE },
	{ "READS", NULL, OUT_NUMBER },
	{ "WRITES", NULL, OUT_NUMBER },
	{ "R-MS", NULL, OUT_TEXT },
	{ "W-MS", NULL, OUT_TEXT },
	{ "BUSY", NULL, OUT_NUMBER },
	{ "JOB", NULL, OUT_TEXT },
	{ "JOB/s", NULL, OUT_SIZE },
	{ "LEFT", NULL, OUT_TEXT },
};

static void get_rates(const struct rates_looks *looks, const struct metrics_chain *now, struct rates *rates)
{
	rates_between(rates_find(looks->was, looks->nr_was, now), now, looks->seconds, rates);
}

static const char *mode_of(const struct metrics_chain *chain)
{
	if (chain->no_chain)
		return chain->no_chain;
	return chain->dev.suspended ? "suspended" : chain->status.mode;
}

static void add_known(struct out_table *out, bool known, uint64_t number)
{
	if (known)
		out_number(out, number);
	else
		out_none(out);
}

static void add_ms(struct out_table *out, uint64_t us)
{
	char *text = us ? xasprintf("%" PRIu64 ".%01u", us / 1000, (unsigned int)(us % 1000 / 100)) : NULL;

	out_text(out, text);
	free(text);
}

static void add_job(struct out_table *out, const struct metrics_chain *chain, const struct rates *rates)
{
	char left[HUMAN_LEN], *job = chain->no_chain ? NULL : tree_job(&chain->status.job);

	out_text(out, job);
	add_known(out, rates->job_moves, rates->job_bytes);
	out_text(out, rates->job_moves ? human_time(rates->job_left, left) : NULL);
	free(job);
}

static void add_chain(struct out_table *out, const struct metrics_chain *chain, const struct rates *rates)
{
	out_text(out, chain->dev.name);
	out_text(out, mode_of(chain));
	add_known(out, rates->known, rates->bytes[IO_READ]);
	add_known(out, rates->known, rates->bytes[IO_WRITE]);
	add_known(out, rates->known, rates->requests[IO_READ]);
	add_known(out, rates->known, rates->requests[IO_WRITE]);
	add_ms(out, rates->us[IO_READ]);
	add_ms(out, rates->us[IO_WRITE]);
	add_known(out, chain->has_io, chain->io.in_flight);
	add_job(out, chain, rates);
}

void rates_print(const struct rates_looks *looks, const struct out_options *opt)
{
	struct out_table out;
	struct rates rates;
	size_t i;

	out_init(&out, columns, ARRAY_SIZE(columns));
	for (i = 0; i < looks->nr_now; i++) {
		get_rates(looks, &looks->now[i], &rates);
		add_chain(&out, &looks->now[i], &rates);
	}
	out_print(&out, NULL, opt);
	out_free(&out);
}

/* ---- JSON ---- */

static void add_io_json(struct json *json, const char *key, enum io_kind kind, const struct rates *rates)
{
	json_object(json, key);
	json_number(json, "requests-per-second", rates->requests[kind]);
	json_number(json, "bytes-per-second", rates->bytes[kind]);
	json_fraction(json, "ms", rates->us[kind]);
	json_end(json);
}

static void add_chain_json(struct json *json, const struct metrics_chain *chain, const struct rates *rates)
{
	json_object(json, NULL);
	json_text(json, "name", chain->dev.name);
	json_text(json, "mode", mode_of(chain));
	json_number(json, "in-flight", chain->io.in_flight);
	add_io_json(json, "read", IO_READ, rates);
	add_io_json(json, "write", IO_WRITE, rates);
	add_io_json(json, "discard", IO_DISCARD, rates);
	add_io_json(json, "flush", IO_FLUSH, rates);
	show_json_job(json, "job", &chain->status.job);
	if (rates->job_moves) {
		json_number(json, "job-bytes-per-second", rates->job_bytes);
		json_number(json, "job-seconds-left", rates->job_left);
	} else {
		json_null(json, "job-bytes-per-second");
		json_null(json, "job-seconds-left");
	}
	json_end(json);
}

void rates_print_json(const struct rates_looks *looks)
{
	struct json json = { .one_line = true };
	struct rates rates;
	size_t i;

	json_object(&json, NULL);
	json_fraction(&json, "seconds", (uint64_t)(looks->seconds * 1000));
	json_array(&json, "chains");
	for (i = 0; i < looks->nr_now; i++) {
		get_rates(looks, &looks->now[i], &rates);
		add_chain_json(&json, &looks->now[i], &rates);
	}
	json_end(&json);
	json_end(&json);
	json_print(&json);
}
