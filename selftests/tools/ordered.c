// SPDX-License-Identifier: GPL-2.0-only
/*
 * ordered: writes to several devices in an order that a snapshot of all of them at one point in time has to show.
 *
 *	ordered write STOP DEV...	until the file STOP exists; prints the number of rounds
 *	ordered check DEV...		prints the number of the last round that is there
 *
 * Each of the writers writes the number of its round to the first device, then, after that has ended, to the
 * second one, and so on, without a flush. So no device ever has a later round than the one before it. A writer
 * has some places, which it uses in turn: the first round there allocates, later ones rewrite.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

#define WRITERS	4u
#define PLACES	64u
#define STEP	(20u << 10)	/* of 4 KiB units, some have a cluster of their own, some share one */

struct devices {
	const char *stop;
	int *fd;
	char **name;
	unsigned int nr;
};

struct writer {
	const struct devices *all;
	unsigned int number;
	uint64_t rounds;
	pthread_t thread;
};

static uint64_t place(unsigned int writer, uint64_t round)
{
	return (writer * PLACES + round % PLACES) * (uint64_t)STEP;
}

static void *run(void *arg)
{
	struct writer *w = arg;
	char *buf = xalloc_io(SECTOR);
	unsigned int i;
	int err;

	while (access(w->all->stop, F_OK)) {
		uint64_t at = place(w->number, ++w->rounds);

		for (i = 0; i < w->all->nr; i++) {
			sector_fill(buf, w->number, at / SECTOR, w->rounds);
			err = pwrite_full(w->all->fd[i], buf, SECTOR, at);
			if (err)
				die("%s: write at %" PRIu64 ": %s", w->all->name[i], at, strerror(err));
		}
	}
	free(buf);
	return NULL;
}

static uint64_t do_write(const struct devices *all)
{
	struct writer w[WRITERS] = { 0 };
	uint64_t rounds = 0;
	unsigned int i;

	for (i = 0; i < WRITERS; i++) {
		w[i].all = all;
		w[i].number = i;
		if (pthread_create(&w[i].thread, NULL, run, &w[i]))
			die("cannot make a thread");
	}
	for (i = 0; i < WRITERS; i++) {
		pthread_join(w[i].thread, NULL);
		rounds += w[i].rounds;
	}
	return rounds;
}

/* What was there before is not of a writer, and counts as round 0. */
static uint64_t round_at(const struct devices *all, unsigned int dev, unsigned int writer, uint64_t at, char *buf)
{
	uint64_t round;
	int err = pread_full(all->fd[dev], buf, SECTOR, at);

	if (err)
		die("%s: read at %" PRIu64 ": %s", all->name[dev], at, strerror(err));
	return sector_decode(buf, writer, at / SECTOR, &round) ? round : 0;
}

/* Return: the last round of this place on the first device; ends the program if a later device has a later one. */
static uint64_t check_place(const struct devices *all, unsigned int writer, uint64_t at, char *buf)
{
	uint64_t first = round_at(all, 0, writer, at, buf), before = first, now;
	unsigned int i;

	for (i = 1; i < all->nr; i++, before = now) {
		now = round_at(all, i, writer, at, buf);
		if (now <= before)
			continue;
		printf("writer %u at %" PRIu64 ": %s has round %" PRIu64 ", %s has %" PRIu64 "\n", writer, at,
		       all->name[i], now, all->name[i - 1], before);
		exit(1);
	}
	return first;
}

static uint64_t do_check(const struct devices *all)
{
	char *buf = xalloc_io(SECTOR);
	uint64_t last = 0, round, i;
	unsigned int w;

	for (w = 0; w < WRITERS; w++) {
		for (i = 0; i < PLACES; i++) {
			round = check_place(all, w, place(w, i), buf);
			if (round > last)
				last = round;
		}
	}
	free(buf);
	return last;
}

static void open_all(struct devices *all, char **names, int flags)
{
	unsigned int i;

	all->name = names;
	while (names[all->nr])
		all->nr++;
	all->fd = xalloc(all->nr * sizeof(*all->fd));
	for (i = 0; i < all->nr; i++) {
		all->fd[i] = open(names[i], flags | O_DIRECT | O_CLOEXEC);
		if (all->fd[i] < 0)
			die("%s: %s", names[i], strerror(errno));
	}
}

int main(int argc, char **argv)
{
	struct devices all = { 0 };

	if (argc > 3 && !strcmp(argv[1], "write")) {
		all.stop = argv[2];
		open_all(&all, argv + 3, O_WRONLY);
		printf("%" PRIu64 "\n", do_write(&all));
		return 0;
	}
	if (argc > 2 && !strcmp(argv[1], "check")) {
		open_all(&all, argv + 2, O_RDONLY);
		printf("%" PRIu64 "\n", do_check(&all));
		return 0;
	}
	die("usage: ordered write STOP DEV... | check DEV...");
}
