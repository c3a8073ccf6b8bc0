/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shows a line of progress in a terminal, again and again in the same place.
 */
#ifndef COWCHAIN_PROGRESS_SHOW_H
#define COWCHAIN_PROGRESS_SHOW_H

#include <stdbool.h>

#include "progress.h"

/* How often there is something new, in milliseconds. */
#define PROGRESS_MS 1000

/**
 * struct progress_show - the line, and where it is.
 * @wanted: stderr is a terminal, and nobody wants it quiet.
 * @printed: when the last line was, in seconds; 0: never.
 * @columns: how wide that was.
 */
struct progress_show {
	bool wanted;
	double printed;
	unsigned int columns;
	struct progress_meter meter;
};

/* Seconds of a clock that only goes forward. */
double progress_now(void);

void progress_begin(struct progress_show *show, bool quiet);
/*
 * Show how far it is; @progress needs no rate and no stall, which are measured here. Nothing is printed within a second of
 * the last line, unless there is news. A message that is printed meanwhile begins a new line.
 */
void progress_show(struct progress_show *show, struct progress *progress, bool news);
/* The cursor goes to the next line. */
void progress_end(struct progress_show *show);

#endif
