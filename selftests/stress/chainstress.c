// SPDX-License-Identifier: GPL-2.0-only
/*
 * chainstress: parallel writers and an administrator on one live chain. A seed decides what they
 * do.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dm.h"
#include "mgmt.h"
#include "model.h"
#include "power-loss.h"
#include "report.h"
#include "script.h"
#include "stress.h"
#include "watchdog.h"
#include "writer.h"

static void usage(void)
{
	fputs("usage: chainstress --name DM-NAME --model FILE --out DIRECTORY [OPTION]...\n"
	      "  --model FILE      the disk before the run\n"
	      "  --out DIRECTORY   where the models and the manifest go: beside the layers\n"
	      "  --seed N          default 1\n"
	      "  --ops N           default 500\n"
	      "  --threads N       default 4\n"
	      "  --unit BYTES      subcluster of the top, default 4096\n"
	      "  --writes LETTERS  of w(rite) u(fua) z(ero) d(iscard) f(lush) r(ead); default all\n"
	      "  --mgmt WORDS      of snapshot stream lower commit active complete cancel pause speed suspend\n"
	      "                    reload;\n"
	      "                    default all\n"
	      "  --spare FILE[,DATA]  a prepared layer for a snapshot, may be repeated\n"
	      "  --log-writes DM-NAME  set marks in this dm-log-writes device\n"
	      "  --record FILE     what was written, flushed and marked when\n"
	      "  --at OPS:MESSAGE  instead of --mgmt, may be repeated; \"wait\": for the job's end,\n"
	      "                    \"past BYTES\": until it has got there, \"again\": the chain is\n"
	      "                    removed, and created with the same table\n"
	      "  --stall SECONDS   without progress is a failure, default 120\n"
	      "  --verbose\n", stderr);
	exit(2);
}

static const uint8_t *map_model(const char *file, uint64_t size)
{
	int fd = open(file, O_RDONLY);
	void *p;

	if (fd < 0)
		die("%s: %s", file, strerror(errno));
	if (size_of_fd(fd) != size)
		die("%s: has %llu bytes, the device %llu", file,
		    (unsigned long long)size_of_fd(fd), (unsigned long long)size);
	p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		die("%s: %s", file, strerror(errno));
	close(fd);
	return p;
}

static void add_text(char **list, unsigned int *n, unsigned int max, char *text)
{
	if (*n == max)
		die("too many of these: %s", text);
	list[(*n)++] = text;
}

static void set_option(struct stress *s, int o, char *arg)
{
	switch (o) {
	case 'n':
		s->name = arg;
		break;
	case 'o':
		s->out = arg;
		break;
	case 's':
		s->seed = parse_size(arg, 0);
		break;
	case 'c':
		s->ops = parse_size(arg, 0);
		break;
	case 't':
		s->threads = parse_size(arg, 0);
		break;
	case 'u':
		s->unit = parse_size(arg, 0) / SECTOR;
		break;
	case 'w':
		s->writes = arg;
		break;
	case 'g':
		s->mgmt = arg;
		break;
	case 'p':
		add_text(s->spares, &s->n_spares, MAX_SPARES, arg);
		break;
	case 'L':
		s->log_writes = arg;
		break;
	case 'R':
		s->record = arg;
		break;
	case 'a':
		if (!strchr(arg, ':'))
			die("no message: %s", arg);
		add_text(s->script, &s->n_script, MAX_SCRIPT, arg);
		break;
	case 'l':
		s->stall = parse_size(arg, 0);
		break;
	case 'v':
		s->verbose = true;
		break;
	default:
		usage();
	}
}

static void parse_options(struct stress *s, int argc, char **argv, const char **model)
{
	static const struct option options[] = {
		{ "name", 1, NULL, 'n' }, { "model", 1, NULL, 'm' }, { "out", 1, NULL, 'o' },
		{ "seed", 1, NULL, 's' }, { "ops", 1, NULL, 'c' }, { "threads", 1, NULL, 't' },
		{ "unit", 1, NULL, 'u' }, { "writes", 1, NULL, 'w' }, { "mgmt", 1, NULL, 'g' },
		{ "spare", 1, NULL, 'p' }, { "stall", 1, NULL, 'l' },
		{ "log-writes", 1, NULL, 'L' }, { "record", 1, NULL, 'R' },
		{ "at", 1, NULL, 'a' },
		{ "verbose", 0, NULL, 'v' }, { NULL, 0, NULL, 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'm')
			*model = optarg;
		else
			set_option(s, o, optarg);
	}
	if (optind != argc || !s->name || !*model || !s->out || !s->unit ||
	    !s->threads || s->threads > MAX_THREADS)
		usage();
}

static void open_device(struct stress *s, const char *model)
{
	char path[128];

	snprintf(path, sizeof(path), "/dev/mapper/%s", s->name);
	s->dev = open(path, O_RDWR | O_DIRECT);
	if (s->dev < 0)
		die("%s: %s", path, strerror(errno));
	s->sectors = size_of_fd(s->dev) / SECTOR;
	s->initial = map_model(model, (uint64_t)s->sectors * SECTOR);
	s->last = xalloc(s->sectors * sizeof(*s->last));
	s->log = xalloc((s->ops + 1) * sizeof(*s->log));
	s->next = 1;
	s->clock = 1;
	crash_prepare(s);
	model_layout(s);
}

static void run(struct stress *s)
{
	struct writer *w = xalloc(s->threads * sizeof(*w));
	pthread_t watchdog, mgmt;
	unsigned int i;

	s->running = s->threads;
	pthread_create(&watchdog, NULL, watchdog_thread, s);
	for (i = 0; i < s->threads; i++) {
		w[i].s = s;
		w[i].id = i;
		w[i].rng.state = mix64(s->seed + 1000 * (i + 1));
		if (pthread_create(&w[i].thread, NULL, writer_thread, &w[i]))
			die("cannot start a thread");
	}
	if (pthread_create(&mgmt, NULL, s->record ? script_thread : mgmt_thread, s))
		die("cannot start a thread");
	for (i = 0; i < s->threads; i++)
		pthread_join(w[i].thread, NULL);
	pthread_join(mgmt, NULL);
	free(w);
}

int main(int argc, char **argv)
{
	struct stress *s = xalloc(sizeof(*s));
	const char *model = NULL;

	s->seed = 1;
	s->ops = 500;
	s->threads = 4;
	s->unit = 8;
	s->stall = 120;
	s->writes = "wuzdfr";
	s->mgmt = "snapshot stream lower commit active complete cancel pause speed suspend reload";
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->cond, NULL);
	parse_options(s, argc, argv, &model);
	dm_quiet();
	open_device(s, model);
	printf("# seed %llu, %llu operations, %u writers, %u spare layers\n",
	       (unsigned long long)s->seed, (unsigned long long)s->ops, s->threads, s->n_spares);
	fflush(stdout);
	run(s);
	if (s->record)
		crash_record(s);
	printf("# seed %llu: %s after %llu operations\n", (unsigned long long)s->seed,
	       s->failed ? "FAILED" : "passed", (unsigned long long)s->next - 1);
	return s->failed ? 1 : 0;
}
