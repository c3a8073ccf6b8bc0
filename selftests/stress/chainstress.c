// SPDX-License-Identifier: GPL-2.0-only
/*
 * chainstress: parallel writers and an administrator on one live chain, told by a seed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dm.h"
#include "stress.h"

static unsigned int stall_seconds = 120;

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
	      "  --mgmt WORDS      of snapshot stream cancel pause speed suspend reload; default all\n"
	      "  --spare FILE[,DATA]  a prepared layer for a snapshot, may be repeated\n"
	      "  --log-writes DM-NAME  set marks in this dm-log-writes device\n"
	      "  --record FILE     what was written, flushed and marked when\n"
	      "  --at OPS:MESSAGE  instead of --mgmt, may be repeated; \"wait\": for the job's end\n"
	      "  --stall SECONDS   without progress is a failure, default 120\n"
	      "  --verbose\n", stderr);
	exit(2);
}

static void vsay(struct stress *s, const char *prefix, const char *fmt, va_list ap)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	printf("# %s[%llu] ", prefix, (unsigned long long)s->clock);
	vprintf(fmt, ap);
	putchar('\n');
	fflush(stdout);
	pthread_mutex_unlock(&lock);
}

void stress_fail(struct stress *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(s, "FAILED ", fmt, ap);
	va_end(ap);
	s->failed = true;
}

void stress_note(struct stress *s, const char *fmt, ...)
{
	va_list ap;

	if (!s->verbose)
		return;
	va_start(ap, fmt);
	vsay(s, "", fmt, ap);
	va_end(ap);
}

static void show_file(const char *path)
{
	char buf[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return;
	buf[n] = '\0';
	for (char *save, *line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		printf("#   %s\n", line);
}

/* Where its threads are, and, in the kernel's log, who else waits for something. */
static void show_hang(void)
{
	char path[300];
	struct dirent *d;
	DIR *dir = opendir("/proc/self/task");
	int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "w", 1) != 1)
		printf("# no list of blocked tasks in the kernel's log\n");
	if (fd >= 0)
		close(fd);
	while (dir && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/stack", d->d_name);
		printf("# thread %s:\n", d->d_name);
		show_file(path);
	}
	if (dir)
		closedir(dir);
	fflush(stdout);
}

/* No progress for long means that something hangs; the process may not be able to end by itself. */
static void *watchdog_thread(void *arg)
{
	struct stress *s = arg;
	uint64_t last = 0;
	unsigned int idle = 0;

	for (;;) {
		sleep(1);
		idle = s->heartbeat == last ? idle + 1 : 0;
		last = s->heartbeat;
		if (idle < stall_seconds)
			continue;
		stress_fail(s, "no progress for %u seconds: something hangs", stall_seconds);
		show_hang();
		_exit(1);
	}
	return NULL;
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
		switch (o) {
		case 'n':
			s->name = optarg;
			break;
		case 'm':
			*model = optarg;
			break;
		case 'o':
			s->out = optarg;
			break;
		case 's':
			s->seed = parse_size(optarg, 0);
			break;
		case 'c':
			s->ops = parse_size(optarg, 0);
			break;
		case 't':
			s->threads = parse_size(optarg, 0);
			break;
		case 'u':
			s->unit = parse_size(optarg, 0) / SECTOR;
			break;
		case 'w':
			s->writes = optarg;
			break;
		case 'g':
			s->mgmt = optarg;
			break;
		case 'p':
			if (s->n_spares == MAX_SPARES)
				die("too many spares");
			s->spares[s->n_spares++] = optarg;
			break;
		case 'L':
			s->log_writes = optarg;
			break;
		case 'R':
			s->record = optarg;
			break;
		case 'a':
			if (s->n_script == MAX_SCRIPT || !strchr(optarg, ':'))
				die("too many messages, or none: %s", optarg);
			s->script[s->n_script++] = optarg;
			break;
		case 'l':
			stall_seconds = parse_size(optarg, 0);
			break;
		case 'v':
			s->verbose = true;
			break;
		default:
			usage();
		}
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
	s->writes = "wuzdfr";
	s->mgmt = "snapshot stream cancel pause speed suspend reload";
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
