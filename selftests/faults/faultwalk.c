// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultwalk: lets the n-th I/O, or allocation, of a scenario fail, for every n. See fault.h.
 *
 *	faultwalk [OPTION]... DIRECTORY SCENARIO...
 *
 *	--kind io|slab|pages	what fails: an I/O of a layer; an allocation below the module's
 *				functions, in any task
 *	--ext			external data files
 *	--only FILE		I/O of that file only
 *	--ops rwfdz		kinds of I/O: read, write, flush, discard, write zeroes (default: all)
 *	--errno NAME		that I/O ends with (default: EIO)
 *	--times N		I/Os that fail from there on, -1 for all (default: 1)
 *	--late			the device does it and reports an error
 *	--stride N --first N	every N-th only, beginning with that
 *	--sparse		ever larger steps as long as the I/Os that fail are of one kind
 *	--sample N		keep the images of each N-th run for qemu-img
 *	--list			names of the scenarios
 *
 * DIRECTORY has the files that lie behind /dev/mapper/cct-f0, -f1, ... A line for each scenario
 * goes to standard output: how many faults came, and where.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "qimg.h"

#define HANG_S		240
#define MAX_RUNS	5000
#define MAX_WRONG	6

static const char *const single_names[] = { "a.raw", "b.qcow2", "c.qcow2", "d.qcow2", "e.qcow2" };
static const char *const data_names[] = { "d.data", "e.data" };

static _Atomic unsigned long beats;
static struct walk walk = { .dev = -1, .stride = 1, .first = 1, .why = "" };

/* Where the faults came: a number for each file, kind of I/O, and metadata or data. */
static uint64_t where[MAX_FILES][128][2];

/* ---- files ---- */

/* Bytes from the start of a file that are metadata: what lies before its first data cluster. */
static uint64_t meta_end(const char *path, bool ext)
{
	const uint64_t mask = 0x00fffffffffffe00ULL;
	struct qimg q;
	uint64_t end, at, c;

	qimg_open(&q, path, false);
	end = size_of_fd(q.fd);
	for (c = 0; !ext && c < qimg_clusters(&q); c++) {
		at = qimg_l2_entry(&q, c);
		at = at ? qimg_get(&q, at, 8) & mask : 0;
		if (at && at < end)
			end = at;
	}
	qimg_close(&q);
	return end;
}

static void add_file(struct walk *w, const char *dir, const char *name)
{
	struct file *f = &w->files[w->n_files];
	char path[512];

	f->id = w->n_files++;
	snprintf(f->name, sizeof(f->name), "%s", name);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f->fd = open(path, O_RDWR | O_CLOEXEC);
	if (f->fd < 0)
		die("%s: %s", path, strerror(errno));
	f->size = size_of_fd(f->fd);
	f->image = xalloc(f->size);
	if (pread_full(f->fd, f->image, f->size, 0))
		die("%s: cannot read", path);
	if (strstr(name, ".qcow2"))
		f->meta_end = meta_end(path, w->ext && f->id >= FIRST_TOP);
}

static void open_files(struct walk *w, const char *dir)
{
	struct model *m = &w->model;
	char path[512];
	uint8_t *initial;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(single_names); i++)
		add_file(w, dir, single_names[i]);
	for (i = 0; w->ext && i < ARRAY_SIZE(data_names); i++)
		add_file(w, dir, data_names[i]);
	snprintf(path, sizeof(path), "%s/model.raw", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	m->sectors = size_of_fd(fd) / SECTOR;
	initial = xalloc((size_t)m->sectors * SECTOR);
	if (pread_full(fd, initial, (size_t)m->sectors * SECTOR, 0))
		die("%s: cannot read", path);
	close(fd);
	m->initial = initial;
	m->seed = 77;
	m->live = xalloc(m->sectors * sizeof(*m->live));
	m->stable = xalloc(m->sectors * sizeof(*m->stable));
}

/* Only what differs is written: most of a file stays as it was. */
static void restore_file(struct file *f)
{
	static uint8_t buf[65536];
	uint64_t at;

	if (ftruncate(f->fd, f->size))
		die("%s: %s", f->name, strerror(errno));
	for (at = 0; at < f->size; at += sizeof(buf)) {
		size_t n = f->size - at < sizeof(buf) ? f->size - at : sizeof(buf);

		if (pread_full(f->fd, buf, n, at))
			die("%s: cannot read", f->name);
		if (memcmp(buf, f->image + at, n) && pwrite_full(f->fd, f->image + at, n, at))
			die("%s: cannot write", f->name);
	}
}

void walk_restore(struct walk *w)
{
	unsigned int i;

	for (i = FIRST_TOP; i < w->n_files; i++)
		restore_file(&w->files[i]);
}

static void check_lower(struct walk *w)
{
	uint8_t *buf;
	unsigned int i;

	for (i = 0; i < FIRST_TOP; i++) {
		struct file *f = &w->files[i];

		buf = xalloc(f->size);
		if (pread_full(f->fd, buf, f->size, 0) || memcmp(buf, f->image, f->size))
			wrong(w, "%s has changed", f->name);
		free(buf);
	}
}

/* ---- for qemu-img ---- */

static void copy_file(int from, const char *name, uint64_t size)
{
	static uint8_t buf[65536];
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	uint64_t at;

	if (fd < 0 || ftruncate(fd, size))
		die("%s: %s", name, strerror(errno));
	for (at = 0; at < size; at += sizeof(buf)) {
		size_t n = size - at < sizeof(buf) ? size - at : sizeof(buf);

		if (pread_full(from, buf, n, at))
			die("%s: cannot copy", name);
		if (!is_zero(buf, n) && pwrite_full(fd, buf, n, at))
			die("%s: cannot write", name);
	}
	close(fd);
}

/* The chain in a directory of its own. The lower layers are in the one above. */
static void export_run(struct walk *w, unsigned int top, const uint8_t *disk)
{
	char dir[64], name[128], target[64];
	unsigned int i;
	FILE *f;
	int r;

	/* another walk of the same case may have left some */
	do {
		snprintf(dir, sizeof(dir), "%s-%u", w->scenario->name, ++w->exported);
		r = mkdir(dir, 0755);
	} while (r && errno == EEXIST);
	if (r)
		die("%s: %s", dir, strerror(errno));
	for (i = 0; i < w->n_files; i++) {
		snprintf(name, sizeof(name), "%s/%s", dir, w->files[i].name);
		snprintf(target, sizeof(target), "../%s", w->files[i].name);
		if (i >= FIRST_TOP)
			copy_file(w->files[i].fd, name, w->files[i].size);
		else if (symlink(target, name))
			die("%s: %s", name, strerror(errno));
	}
	snprintf(name, sizeof(name), "%s/" OTHER_NAME, dir);
	if (symlink("../a.raw", name))
		die("%s: %s", name, strerror(errno));
	snprintf(name, sizeof(name), "%s/model.raw", dir);
	f = fopen(name, "w");
	if (!f || fwrite(disk, SECTOR, w->model.sectors, f) != w->model.sectors || fclose(f))
		die("%s: cannot write", name);
	if (top == FILE_E)
		fprintf(w->manifest, "check %s/d.qcow2\n", dir);
	fprintf(w->manifest, "check %s/%s\ncompare %s/%s %s/model.raw\n", dir, w->files[top].name,
		dir, w->files[top].name, dir);
}

/* ---- the end of a run ---- */

/* A write or a flush of the top that failed can make the chain read-only, nothing else. */
static void judge_mode(struct walk *w, const struct hit *h)
{
	struct job_status st;
	int err;

	if (dm_status(NAME, &st)) {
		wrong(w, "no status");
		return;
	}
	w->broken = !strcmp(st.mode, "ro");
	if (!w->broken && strcmp(st.mode, "rw"))
		wrong(w, "the mode is %s", st.mode);
	/* nor does data that is not written, nor an allocation: a commit has its reserves */
	if (w->broken && !(h->op == 'w' && hit_meta(w, h)) && h->op != 'f' && w->fault.times == 1)
		wrong(w, "the mode is ro");
	if (st.layers != w->layers)
		wrong(w, "%u layers, expected %u", st.layers, w->layers);
	if (!st.present || !strcmp(st.state, "concluded"))
		return;
	/* one that is only recorded stays so where the header cannot be written any more */
	err = dm_message(NAME, "job-cancel");
	if (err && !(err == EROFS && w->broken && !strcmp(st.state, "created")))
		wrong(w, "the job cannot be cancelled: %s", strerror(err));
}

/* The header says what the chain is. */
static void judge_header(struct walk *w, const char *dir)
{
	const struct file *f = &w->files[w->top];
	const char *names, *now;
	char path[512];
	struct qimg q;

	snprintf(path, sizeof(path), "%s/%s", dir, f->name);
	qimg_open(&q, path, false);
	names = qimg_backing(&q);
	now = w->layers == w->top + 1 ? w->files[w->top - 1].name : w->backing;
	if (!now || strcmp(names, now))
		wrong(w, "the header names '%s' as backing file, expected '%s'", names,
		      now ? now : "?");
	qimg_close(&q);
}

/* All works without faults, on the table as it was at last. */
static void judge_afterwards(struct walk *w, const char *params, const char *dir)
{
	bool sampled = w->sample && w->runs % w->sample == 0;
	size_t bytes = (size_t)w->model.sectors * SECTOR;
	uint8_t *disk = xalloc_io(bytes);
	char unsealed[PARAMS];

	w->why = "afterwards";
	/* errors that went on: it could not be taken back */
	if (w->may_be_sealed && !strncmp(params, "0 ", 2)) {
		snprintf(unsealed, sizeof(unsealed), "1 allow_sealed %.*s",
			 (int)sizeof(unsealed) - 32, params + 2);
		params = unsealed;
	}
	step_create_params(w, params);
	if (w->dev < 0) {
		wrong(w, "the table that was there does not load again: %s", params);
		step_remove(w);
		free(disk);
		return;
	}
	step_job_recorded(w);
	step_read_all(w);
	step_io(w, IO_WRITE, 100, 8);
	step_part(w, IO_FUA, 1501, 3);
	step_io(w, IO_ZERO, 900, 4);
	step_flush(w);
	step_part(w, IO_READ, 0, 256);
	if (sampled && pread_full(w->dev, disk, bytes, 0))
		wrong(w, "the disk cannot be read");
	step_remove(w);
	judge_header(w, dir);
	if (sampled && !w->failed)
		export_run(w, w->top, disk);
	free(disk);
}

static void judge(struct walk *w, const struct hit *h, const char *dir)
{
	struct job_status st;
	char params[PARAMS];

	w->why = "at the end";
	/* errors that went on have left it suspended, or without a table */
	if (w->created && w->dev < 0) {
		if (dm_resume(NAME) || dm_status(NAME, &st))
			step_remove(w);
		else
			walk_open(w);
	}
	if (w->dev < 0) {
		table_for(w, w->top, w->features, params, sizeof(params));
	} else {
		judge_mode(w, h);
		step_read_all(w);
		step_io(w, IO_WRITE, 64, 4);
		step_part(w, IO_WRITE, 1801, 3);
		if (dm_table(NAME, params, sizeof(params), NULL))
			wrong(w, "no table");
	}
	step_remove(w);
	check_lower(w);
	judge_afterwards(w, params, dir);
}

/* ---- the sweep ---- */

static void count_hit(struct walk *w, const struct hit *h)
{
	const struct file *f = &w->files[h->id];

	w->hits += h->failed;
	if (w->fault.kind == FAULT_IO)
		where[h->id][(int)h->op][h->op == 'f' || h->sector * SECTOR >= f->meta_end]++;
}

/* Adds the time since the last call to @ms: only for whoever wants to know what takes so long. */
static void lap(struct walk *w, uint64_t *ms)
{
	uint64_t t = now_ms();

	if (ms)
		*ms += t - w->last_ms;
	w->last_ms = t;
}

/* Return: true if the fault came. */
static bool run_once(struct walk *w, const char *dir, struct hit *hit)
{
	struct hit h;

	w->failed = false;
	w->broken = false;
	w->created = false;
	w->policy = "enospc";
	w->backing = NULL;
	w->cancelled = false;
	w->owed = false;
	w->may_be_sealed = false;
	w->shared = false;
	w->hit.failed = 0;
	w->features = "0";
	fmodel_reset(&w->model);
	beats++;
	fault_disarm(w->fault.kind);
	w->why = "prepare";
	lap(w, NULL);
	w->scenario->prepare(w);
	if (w->failed)
		die("%s: not even without faults", w->scenario->name);
	w->why = w->scenario->says;
	lap(w, &w->ms_prepare);
	fault_arm(&w->fault);
	w->scenario->run(w);
	fault_look(w->fault.kind, &h);
	w->hit = h;
	lap(w, &w->ms_run);
	fault_disarm(w->fault.kind);
	if (h.failed) {
		w->runs++;
		count_hit(w, &h);
	}
	judge(w, &h, dir);
	walk_restore(w);
	lap(w, &w->ms_judge);
	*hit = h;
	return h.failed;
}

static void print_where(struct walk *w)
{
	unsigned int i;
	const char *op;

	for (i = 0; i < w->n_files; i++) {
		bool any = false;

		for (op = "rwfdz"; *op; op++) {
			uint64_t meta = where[i][(int)*op][0], data = where[i][(int)*op][1];

			if (!meta && !data)
				continue;
			printf("%s%s", any ? " " : "; ", any ? "" : w->files[i].name);
			any = true;
			if (*op == 'f')
				printf(" flush %llu", (unsigned long long)data);
			else
				printf(" %s %llu+%llu", *op == 'r' ? "read" : *op == 'w' ? "write" :
				       *op == 'd' ? "discard" : "zeroes", (unsigned long long)meta,
				       (unsigned long long)data);
		}
	}
	putchar('\n');
}

/* Of the same kind, and on the same sort of thing? */
static bool alike(const struct walk *w, const struct hit *a, const struct hit *b)
{
	return a->id == b->id && a->op == b->op &&
	       (a->sector * SECTOR < w->files[a->id].meta_end) ==
	       (b->sector * SECTOR < w->files[b->id].meta_end);
}

static void print_sum(struct walk *w, unsigned int bad)
{
	uint64_t n = w->runs ? w->runs : 1;

	printf("# %s/%s: %llu runs with %llu faults, %u wrong (%llu+%llu+%llu ms a run)",
	       w->scenario->name, w->form, (unsigned long long)w->runs,
	       (unsigned long long)w->hits, bad, (unsigned long long)(w->ms_prepare / n),
	       (unsigned long long)(w->ms_run / n), (unsigned long long)(w->ms_judge / n));
	print_where(w);
	fflush(stdout);
}

/* Return: number of runs that went wrong. */
static unsigned int sweep(struct walk *w, const char *dir)
{
	struct hit last = { .failed = 0 }, hit;
	uint64_t stride = w->stride;
	unsigned int bad = 0;
	uint64_t n;

	memset(where, 0, sizeof(where));
	w->hits = 0;
	w->runs = 0;
	w->ms_prepare = w->ms_run = w->ms_judge = 0;
	for (n = w->first; n < MAX_RUNS && bad < MAX_WRONG; n += stride) {
		bool came;

		w->fault.nth = n;
		came = run_once(w, dir, &hit);
		bad += w->failed;
		if (!came)
			break;
		stride = w->sparse && last.failed && alike(w, &last, &hit) ? 2 * stride : w->stride;
		last = hit;
	}
	if (n >= MAX_RUNS) {
		fprintf(stderr, "# FAILED: %s: no end of faults\n", w->scenario->name);
		bad++;
	}
	print_sum(w, bad);
	w->all_hits += w->hits;
	return bad;
}

/* The main thread may sleep in the kernel for good. */
static void *watchdog(void *arg)
{
	unsigned long last = 0;
	unsigned int still = 0;

	(void)arg;
	for (;;) {
		sleep(1);
		still = beats == last ? still + 1 : 0;
		last = beats;
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

/* As the letters lie in dm-cct-fault. */
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
	open_files(w, argv[optind]);
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
	/* a walk in which nothing failed has shown nothing */
	if (!w->all_hits) {
		fprintf(stderr, "# FAILED: no fault came\n");
		bad++;
	}
	fault_disarm(w->fault.kind);
	fclose(w->manifest);
	return bad ? 1 : 0;
}
