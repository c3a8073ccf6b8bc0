// SPDX-License-Identifier: GPL-2.0-only
/*
 * What chains do, by two looks at them.
 */
#include <string.h>

#include "rates.h"

static uint64_t per_second(uint64_t was, uint64_t now, double seconds)
{
	return now > was ? (uint64_t)((double)(now - was) / seconds) : 0;
}

static void add_io(const struct io_stat *was, const struct io_stat *now, double seconds, struct rates *rates)
{
	uint64_t done;
	int i;

	for (i = 0; i < IO_KINDS; i++) {
		rates->bytes[i] = per_second(was->bytes[i], now->bytes[i], seconds);
		rates->requests[i] = per_second(was->done[i], now->done[i], seconds);
		done = now->done[i] - was->done[i];
		if (done && now->ms[i] > was->ms[i])
			rates->us[i] = (now->ms[i] - was->ms[i]) * 1000 / done;
	}
}

/* Another job may have begun meanwhile: then it is as far as it has come since. */
static void add_job(const struct target_job *was, const struct target_job *now, double seconds, struct rates *rates)
{
	uint64_t from = was->present && was->offset <= now->offset ? was->offset : 0;

	if (!now->present || job_concluded(now))
		return;
	rates->job_bytes = per_second(from, now->offset, seconds);
	rates->job_moves = rates->job_bytes && now->offset <= now->len;
	if (rates->job_moves)
		rates->job_left = (now->len - now->offset) / rates->job_bytes;
}

void rates_between(const struct metrics_chain *was, const struct metrics_chain *now, double seconds, struct rates *rates)
{
	memset(rates, 0, sizeof(*rates));
	if (!was || seconds <= 0)
		return;
	rates->known = true;
	if (was->has_io && now->has_io)
		add_io(&was->io, &now->io, seconds, rates);
	add_job(&was->status.job, &now->status.job, seconds, rates);
}

/* Names and numbers can be reused. */
const struct metrics_chain *rates_find(const struct metrics_chain *chains, size_t nr, const struct metrics_chain *now)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (chains[i].dev.dev == now->dev.dev && !strcmp(chains[i].dev.name, now->dev.name) &&
		    !strcmp(chains[i].dev.uuid, now->dev.uuid))
			return &chains[i];
	return NULL;
}
