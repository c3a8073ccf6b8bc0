// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultwalk: lets the n-th I/O, or allocation, of a scenario fail, for every n. See walk.h.
 *
 *	faultwalk [OPTION]... DIRECTORY SCENARIO...
 *
 *	--kind io|slab|pages	what fails: an I/O of a layer, or an allocation below the module's
 *				functions, in any task
 *	--ext			external data files
 *	--only FILE		I/O of that file only
 *	--ops rwfdz		kinds of I/O: read, write, flush, discard, write zeroes (default: all)
 *	--errno NAME		that I/O ends with (default: EIO)
 *	--times N		I/Os that fail from there on, -1 for all (default: 1)
 *	--late			the device does the I/O and reports an error
 *	--stride N --first N	every N-th only, beginning with that
 *	--sparse		increasing steps as long as the I/Os that fail are of one kind
 *	--sample N		keep the images of each N-th run for qemu-img
 *	--list			names of the scenarios
 *
 * DIRECTORY has the files below /dev/mapper/cct-f0, -f1, ... For each scenario, a line on standard
 * output says how many faults came, and where.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm.h"
#include "files.h"
#include "scenarios.h"
#include "sweep.h"

#define HANG_S		240

static struct walk walk = { .dev = -1, .stride = 1, .first = 1, .why = "" };

/* A thread of its own: the main thread may sleep in the kernel forever. */
static void *watchdog(void *arg)
{
	unsigned long last = 0;
	unsigned int still = 0;

	(void)arg;
	for (;;) {
		sleep(1);
		still = walk.beats == last ? still + 1 : 0;
		last = walk.beats;
		if (still < HANG_S)
			continue;
		fprintf(stderr, "# FAILED: %s n=%llu hangs in: %s, step %llu\n",
			walk.scenario->name, (unsigned long long)walk.fault.nth, walk.why,
			(unsigned long long)walk.steps);
		fflush(stdout);
		_exit(3);
	}
	return NULL;
}

static const struct option options[] = {
	{ "kind", required_argument, NULL, 'k' },
	{ "ext", no_argument, NULL, 'x' },
	{ "only", required_argument, NULL, 'O' },
	{ "ops", required_argument, NULL, 'o' },
	{ "errno", required_argument, NULL, 'e' },
	{ "times", required_argument, NULL, 't' },
	{ "late", no_argument, NULL, 'l' },
	{ "stride", required_argument, NULL, 's' },
	{ "first", required_argument, NULL, 'f' },
	{ "sparse", no_argument, NULL, 'S' },
	{ "sample", required_argument, NULL, 'p' },
	{ "list", no_argument, NULL, 'L' },
	{ NULL, 0, NULL, 0 },
};

static void list(void)
{
	size_t i;

	for (i = 0; i < n_scenarios; i++)
		printf("%s\t%s\n", scenarios[i].name, scenarios[i].says);
	exit(0);
}

/* The bits as dm-cct-fault has them. */
static uint32_t ops_mask(const char *letters)
{
	static const char all[] = "rwfdz";
	uint32_t mask = 0;

	for (; *letters; letters++) {
		const char *at = strchr(all, *letters);

		if (!at)
			die("no kind of I/O: %c", *letters);
		mask |= 1u << (at - all);
	}
	return mask;
}

static enum fault_kind kind_of(const char *name)
{
	static const char *const names[] = {
		[FAULT_IO] = "io", [FAULT_SLAB] = "slab", [FAULT_PAGES] = "pages",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i]))
			return i;
	die("no kind of fault: %s", name);
}

static void set_option(struct walk *w, int o)
{
	switch (o) {
	case 'k':
		w->fault.kind = kind_of(optarg);
		break;
	case 'x':
		w->ext = true;
		break;
	case 'O':
		w->only = optarg;
		break;
	case 'o':
		w->fault.ops = ops_mask(optarg);
		break;
	case 'e':
		w->fault.error = errno_by_name(optarg);
		break;
	case 't':
		w->fault.times = atoll(optarg);
		break;
	case 'l':
		w->fault.late = true;
		break;
	case 's':
		w->stride = parse_size(optarg, 0);
		break;
	case 'f':
		w->first = parse_size(optarg, 0);
		break;
	case 'S':
		w->sparse = true;
		break;
	case 'p':
		w->sample = parse_size(optarg, 0);
		break;
	case 'L':
		list();
		break;
	default:
		die("faultwalk: see its source for the options");
	}
}

static unsigned int find_file(const struct walk *w, const char *name)
{
	unsigned int i;

	for (i = 0; i < w->n_files; i++)
		if (!strcmp(w->files[i].name, name))
			return w->files[i].id;
	die("no file %s", name);
}

static const struct scenario *find_scenario(const char *name)
{
	size_t i;

	for (i = 0; i < n_scenarios; i++)
		if (!strcmp(scenarios[i].name, name))
			return &scenarios[i];
	die("no scenario %s", name);
}

int main(int argc, char **argv)
{
	struct walk *w = &walk;
	unsigned int bad = 0;
	pthread_t dog;
	int i, o;

	w->fault = (struct fault){ .ids = ~0u, .ops = ~0u, .times = 1, .error = EIO };
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		set_option(w, o);
	if (argc - optind < 2 || !w->fault.error || !w->stride || !w->first)
		die("usage: faultwalk [OPTION]... DIRECTORY SCENARIO...");
	w->form = w->ext ? "ext" : "single";
	files_open(w, argv[optind]);
	if (w->only)
		w->fault.ids = 1u << find_file(w, w->only);
	w->manifest = fopen("manifest", "a");
	if (!w->manifest)
		die("manifest: %s", strerror(errno));
	dm_quiet();
	fault_setup(w->fault.kind);
	w->scenario = find_scenario(argv[optind + 1]);
	if (pthread_create(&dog, NULL, watchdog, NULL))
		die("no thread");
	for (i = optind + 1; i < argc; i++) {
		w->scenario = find_scenario(argv[i]);
		bad += sweep(w, argv[optind]);
	}
	if (!w->all_hits && w->fault.kind != FAULT_IO) {
		fprintf(stderr, "# FAILED: no fault came\n");
		bad++;
	}
	fault_disarm(w->fault.kind);
	fclose(w->manifest);
	return bad ? 1 : 0;
}
