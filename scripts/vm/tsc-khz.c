// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints how many thousand ticks the time stamp counter of this machine makes in a second: the
 * emulator hands the counter on to its guest.
 *
 * Both ends are measured several times, and the reading that was interrupted the least is taken,
 * so that other processes do not falsify it. It takes a twentieth of a second.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define TRIES		50
#define INTERVAL_NS	50000000

struct reading {
	uint64_t ticks;
	uint64_t ns;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static struct reading take_reading(void)
{
	struct reading best = { 0 };
	uint64_t least = UINT64_MAX;
	int i;

	for (i = 0; i < TRIES; i++) {
		uint64_t before = __rdtsc(), ns = now_ns(), after = __rdtsc();

		if (after - before >= least)
			continue;
		least = after - before;
		best.ticks = before + least / 2;
		best.ns = ns;
	}
	return best;
}

int main(void)
{
	const struct timespec interval = { .tv_nsec = INTERVAL_NS };
	struct reading first, last;

	first = take_reading();
	nanosleep(&interval, NULL);
	last = take_reading();
	printf("%llu\n", (unsigned long long)((last.ticks - first.ticks) * 1000000 /
					      (last.ns - first.ns)));
	return 0;
}
