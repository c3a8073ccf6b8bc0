// SPDX-License-Identifier: GPL-2.0-only
/*
 * A line of progress on stderr, if that is a terminal. Neither colours nor other sequences are used, only a carriage
 * return; so there is nothing that NO_COLOR would have to turn off.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "progress-show.h"
#include "util.h"

/* Of a terminal that does not tell. */
#define WIDTH 80

double progress_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void progress_begin(struct progress_show *show, bool quiet)
{
	memset(show, 0, sizeof(*show));
	show->wanted = !quiet && isatty(STDERR_FILENO);
}

/* One column is left free: a terminal may wrap a line that is full. */
static unsigned int width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || size.ws_col < 2)
		return WIDTH - 1;
	return size.ws_col - 1U;
}

/* The bytes that fit into so many columns, which are counted. A byte that is no character has one. */
static int fit(const char *line, unsigned int room, unsigned int *columns)
{
	size_t at = 0, len = strlen(line), n;
	mbstate_t state = { 0 };
	wchar_t c;
	int w;

	for (*columns = 0; at < len; at += n, *columns += (unsigned int)w) {
		n = mbrtowc(&c, line + at, len - at, &state);
		w = 1;
		if (n == (size_t)-1 || n == (size_t)-2 || !n) {
			memset(&state, 0, sizeof(state));
			n = 1;
		} else if (wcwidth(c) >= 0) {
			w = wcwidth(c);
		}
		if (*columns + (unsigned int)w > room)
			break;
	}
	return (int)at;
}

static void print(struct progress_show *show, const char *line)
{
	unsigned int room = width(), columns, rest;
	int bytes = fit(line, room, &columns);

	/* What was there before and is not covered. The window may have become narrower. */
	rest = show->columns > columns ? show->columns - columns : 0;
	if (rest > room - columns)
		rest = room - columns;
	fflush(stdout);
	fprintf(stderr, "\r%.*s%*s", bytes, line, (int)rest, "");
	fflush(stderr);
	cc_line_open(true);
	show->columns = columns;
}

void progress_show(struct progress_show *show, struct progress *progress, bool news)
{
	double now = progress_now();
	char *line;

	if (!show->wanted)
		return;
	if (!news && show->printed && now - show->printed < PROGRESS_MS / 1000.0 * 0.9)
		return;
	progress_measure(&show->meter, now, progress->done);
	progress->rate = show->meter.rate;
	progress->stalled = progress_stalled(&show->meter, now);
	line = progress_line(progress);
	print(show, line);
	free(line);
	show->printed = now;
}

void progress_end(struct progress_show *show)
{
	if (show->wanted)
		cc_line_open(false);
	show->columns = 0;
}
