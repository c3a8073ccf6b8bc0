// SPDX-License-Identifier: GPL-2.0-only
/*
 * mutantwalk: thousands of damaged images, each made from a seed. See mutants.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dm.h"
#include "mutants.h"
#include "mutate.h"
#include "report.h"
#include "slices.h"
#include "use.h"
#include "verify.h"

#define MAX_WORKERS	8
#define VERIFY_ALL	64	/* mutants between two looks at all slices */

static uint64_t seed = 1, count = 100;
static unsigned int workers = 2, stall = 60;
static const char *dir, *work;
static bool verbose;

static void usage(void)
{
	fputs("usage: mutantwalk --dir IMAGES --work DIRECTORY [OPTION]...\n"
	      "  --seed N      of the first one, default 1\n"
	      "  --count N     default 100\n"
	      "  --workers N   processes, default 2\n"
	      "  --stall S     seconds without progress that are a failure, default 60\n"
	      "  --verbose\n", stderr);
	exit(2);
}

/* If the kernel crashes, its log names the mutant. */
static void tell_kernel(const char *text)
{
	static int fd = -1;
	char line[300];
	int len = snprintf(line, sizeof(line), "<3>%s\n", text);

	if (fd < 0)
		fd = open("/dev/kmsg", O_WRONLY);
	/* One write, without stdio, which would ask for a position: this device has none. */
	if (fd >= 0 && write(fd, line, len) != len)
		die("/dev/kmsg: %s", strerror(errno));
}

/* ------------------------------------------------------------------- one mutant */

/* A slice whose name starts with @prefix, by the seed; its data file comes with it. */
static struct slice *pick(struct worker *w, const char *prefix, struct slice **data)
{
	struct slice *found[MAX_SLICES];
	unsigned int i, n = 0;
	char file[40];

	for (i = 0; i < w->slices; i++)
		if (!strncmp(w->slice[i].file, prefix, strlen(prefix)) &&
		    strstr(w->slice[i].file, ".qcow2"))
			found[n++] = &w->slice[i];
	if (!n)
		die("no %s*.qcow2 in %s", prefix, w->dir);
	i = rng_below(&w->m.rng, n);
	snprintf(file, sizeof(file), "%.*s.data", (int)strcspn(found[i]->file, "."), found[i]->file);
	*data = worker_slice(w, file);
	return found[i];
}

static struct slice *pick_target(struct mutant *m)
{
	uint64_t n = rng_below(&m->rng, 10);

	if (m->top && n < 6)
		return m->top;
	return m->top && n == 6 ? m->spare : m->mid;
}

static void choose(struct worker *w, uint64_t nr)
{
	struct mutant *m = &w->m;

	memset(m, 0, sizeof(*m));
	m->seed = nr;
	m->rng.state = mix64(nr);
	m->base = worker_slice(w, "base.raw");
	m->mid = pick(w, rng_below(&m->rng, 4) ? "m-" : "m-comp", &m->mid_data);
	if (rng_below(&m->rng, 5)) {
		m->top = pick(w, "t-", &m->top_data);
		m->spare = pick(w, "s-", &m->spare_data);
	}
	m->writable = m->top && rng_below(&m->rng, 8);
	m->target = pick_target(m);
	m->kind = rng_below(&m->rng, KINDS);
	/* others have no compressed clusters */
	if (m->kind == KIND_PACKED)
		m->target = m->mid;
	/* it is damaged later */
	m->live = !rng_below(&m->rng, 5);
	if (m->live)
		m->kind = KIND_NONE;
}

static void damage(struct worker *w)
{
	struct mutant *m = &w->m;
	struct slice *s = m->target;

	memcpy(w->shadow, s->pristine, s->len);
	if (m->kind == KIND_CUT)
		slice_cut(w, s, 512 + (rng_below(&m->rng, s->len - 512) & ~511ull));
	mutate(w, &m->rng, m->kind);
	/* sometimes a second kind of damage */
	if (m->kind != KIND_NONE && !rng_below(&m->rng, 4))
		mutate(w, &m->rng, KIND_HEADER_BITS + rng_below(&m->rng, KINDS - 1));
}

static void one(struct worker *w, uint64_t nr)
{
	char text[256];
	bool failed = w->pulse->failed;

	choose(w, nr);
	w->pulse->seed = nr;
	worker_beat(w, "beginning");
	mutant_describe(&w->m, text, sizeof(text));
	tell_kernel(text);
	damage(w);
	mutant_use(w);
	worker_beat(w, "verifying");
	worker_log_check(w);
	worker_verify(w);
	if (w->verbose) {
		printf("# %s: %s\n", text, w->pulse->failed != failed ? "FAILED" : "fine");
		fflush(stdout);
	}
	w->pulse->mutants++;
	w->pulse->live += w->m.live;
}

static int worker_main(unsigned int id, struct pulse *pulse)
{
	struct worker *w = xalloc(sizeof(*w));
	uint64_t nr, n = 0;
	char file[512];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	w->id = id;
	w->dir = dir;
	w->pulse = pulse;
	w->verbose = verbose;
	dm_quiet();
	snprintf(file, sizeof(file), "%s/mutants-%u.raw", work, id);
	worker_setup(w, file);
	worker_log_open(w);
	for (nr = seed + id; nr < seed + count && !pulse->failed; nr += workers) {
		one(w, nr);
		if (++n % VERIFY_ALL == 0)
			worker_verify_all(w);
	}
	worker_verify_all(w);
	worker_beat(w, "ending");
	worker_teardown(w);
	unlink(file);
	return pulse->failed;
}

/* -------------------------------------------------------------------- the parent */

static void hang(const struct pulse *p, unsigned int id)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY);

	printf("# FAILED: mutant %llu: no progress for %u seconds: worker %u was %s\n",
	       (unsigned long long)p->seed, stall, id, p->doing);
	fflush(stdout);
	/* the kernel log gets all blocked tasks */
	if (fd >= 0 && write(fd, "w", 1) == 1)
		close(fd);
	/* waiting for a worker that hangs would not end */
	_exit(1);
}

/* Collects workers that have ended; one that failed ends the others after their current mutant. */
static bool reap(struct pulse *p, const pid_t *pid, unsigned int *running)
{
	unsigned int i;
	bool ok = true;
	int status;
	pid_t who;

	while (*running && (who = waitpid(-1, &status, WNOHANG)) > 0) {
		(*running)--;
		for (i = 0; i < workers; i++) {
			if (pid[i] == who)
				p[i].done = true;
			if (status)
				p[i].failed = true;
		}
		if (status)
			ok = false;
	}
	return ok;
}

/* Waits for all workers; true if none has failed. */
static bool watch(struct pulse *p, const pid_t *pid)
{
	uint64_t last[MAX_WORKERS] = { 0 };
	time_t since[MAX_WORKERS];
	unsigned int i, running = workers;
	bool ok = true;

	for (i = 0; i < workers; i++)
		since[i] = time(NULL);
	while (running) {
		ok = reap(p, pid, &running) && ok;
		for (i = 0; i < workers; i++) {
			if (p[i].beats != last[i] || p[i].done)
				since[i] = time(NULL);
			last[i] = p[i].beats;
			if (time(NULL) - since[i] > stall)
				hang(&p[i], i);
		}
		usleep(100000);
	}
	return ok;
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "dir", 1, NULL, 'd' }, { "work", 1, NULL, 'w' }, { "seed", 1, NULL, 's' },
		{ "count", 1, NULL, 'c' }, { "workers", 1, NULL, 'p' }, { "stall", 1, NULL, 'l' },
		{ "verbose", 0, NULL, 'v' }, { NULL, 0, NULL, 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'd')
			dir = optarg;
		else if (o == 'w')
			work = optarg;
		else if (o == 's')
			seed = parse_size(optarg, 0);
		else if (o == 'c')
			count = parse_size(optarg, 0);
		else if (o == 'p')
			workers = parse_size(optarg, 0);
		else if (o == 'l')
			stall = parse_size(optarg, 0);
		else if (o == 'v')
			verbose = true;
		else
			usage();
	}
	if (optind != argc || !dir || !work || !workers || workers > MAX_WORKERS)
		usage();
}

#define TOTAL(p, what) ({ \
	unsigned long long sum = 0; \
	for (unsigned int nr = 0; nr < workers; nr++) \
		sum += (p)[nr].what; \
	sum; \
})

int main(int argc, char **argv)
{
	pid_t pid[MAX_WORKERS];
	struct pulse *p;
	unsigned int i;
	bool ok;

	parse(argc, argv);
	p = mmap(NULL, MAX_WORKERS * sizeof(*p), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		die("out of memory");
	printf("# seeds from %llu, %llu mutants, %u workers\n", (unsigned long long)seed,
	       (unsigned long long)count, workers);
	fflush(stdout);
	for (i = 0; i < workers; i++) {
		pid[i] = fork();
		if (pid[i] < 0)
			die("fork: %s", strerror(errno));
		if (!pid[i])
			exit(worker_main(i, &p[i]));
	}
	ok = watch(p, pid);
	printf("# %llu mutants, %llu accepted, %llu streamed, %llu snapshots, %llu damaged in use, %llu errors\n",
	       TOTAL(p, mutants), TOTAL(p, accepted), TOTAL(p, streams), TOTAL(p, snapshots),
	       TOTAL(p, live), TOTAL(p, eio));
	/* a run in which nearly all images are refused would test nothing */
	if (ok && (TOTAL(p, mutants) != count || TOTAL(p, accepted) < count / 50 * 10)) {
		puts("# FAILED: too few were attached");
		ok = false;
	}
	return ok ? 0 : 1;
}
