// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures something long, and makes a line of it.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "number.h"
#include "progress.h"
#include "util.h"

/* Weight of the last look in the rate. */
#define WEIGHT 0.3
/* Seconds between looks that count: an event may follow a tick too closely to measure anything. */
#define LOOK_LEAST 0.2
/* Seconds without progress that are worth a word. */
#define STALLED_LEAST 5
/* A rest of more hours is no forecast. */
#define LEFT_MOST (1000 * 3600.0)

void progress_measure(struct progress_meter *meter, double now, uint64_t done)
{
	double seconds = now - meter->time, rate;

	if (!meter->begun || done < meter->done) {
		meter->begun = true;
		meter->moved = now;
	} else if (seconds < LOOK_LEAST) {
		return;
	} else {
		rate = (double)(done - meter->done) / seconds;
		meter->rate = meter->rate > 0 ? WEIGHT * rate + (1 - WEIGHT) * meter->rate : rate;
		if (done > meter->done)
			meter->moved = now;
	}
	meter->done = done;
	meter->time = now;
}

uint64_t progress_stalled(const struct progress_meter *meter, double now)
{
	return meter->begun && now > meter->moved ? (uint64_t)(now - meter->moved) : 0;
}

static void add_amount(struct strbuf *sb, const struct progress *p)
{
	char done[HUMAN_LEN], total[HUMAN_LEN];
	double share;

	if (p->total == PROGRESS_UNKNOWN) {
		strbuf_addf(sb, "  %s", human_size(p->done, done));
		return;
	}
	share = p->done < p->total ? (double)p->done / (double)p->total : 1;
	/* Nothing is complete before it is: 99.96 is not shown as 100.0. */
	if (share < 1 && share > 0.999)
		share = 0.999;
	strbuf_addf(sb, " %5.1f%%  %s of %s", 100 * share, human_size(p->done, done), human_size(p->total, total));
}

static void add_left(struct strbuf *sb, const struct progress *p)
{
	uint64_t bytes = p->done < p->total ? p->total - p->done : 0;
	double left = p->rate >= 1 ? (double)bytes / p->rate : LEFT_MOST;
	char text[HUMAN_LEN];

	if (!bytes)
		left = 0;
	strbuf_addf(sb, "  %s left", left < LEFT_MOST ? human_time((uint64_t)left, text) : "--:--");
}

static void add_rate(struct strbuf *sb, const struct progress *p)
{
	char text[HUMAN_LEN];

	if (p->stalled >= STALLED_LEAST && p->done < p->total) {
		strbuf_addf(sb, "  nothing for %s", human_time(p->stalled, text));
		return;
	}
	strbuf_addf(sb, "  %s/s", p->rate >= 1 ? human_size((uint64_t)p->rate, text) : "--");
	if (p->total == PROGRESS_UNKNOWN)
		strbuf_addf(sb, "  after %s", human_time(p->elapsed, text));
	else
		add_left(sb, p);
}

char *progress_line(const struct progress *p)
{
	struct strbuf sb = { 0 };

	strbuf_addf(&sb, "%s: %s", p->name, p->what);
	add_amount(&sb, p);
	if (p->state)
		strbuf_addf(&sb, "  %s", p->state);
	else
		add_rate(&sb, p);
	return sb.text;
}
