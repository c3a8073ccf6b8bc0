// SPDX-License-Identifier: GPL-2.0-only
/*
 * mutantwalk: a damaged image is attached, read, written, streamed, put below another, and removed.
 *
 * Errors are normal here: of most operations it is only expected that they end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/fs.h>

#include "bytes.h"
#include "dm.h"
#include "mutate.h"
#include "report.h"
#include "slices.h"
#include "use.h"

#define PIECE	(1u << 20)
#define POLL_US	2000

struct use {
	struct worker *w;
	struct rng *rng;
	char name[32];
	uint64_t sectors;
	int fd;
	uint8_t *buf;
	bool suspended;		/* a resume has failed: no I/O any more */
};

/* The errors that I/O may end with; any other is a failure. */
static void io_result(struct use *u, const char *what, int err)
{
	switch (err) {
	case 0:
		break;
	case EIO:
	case EROFS:
	case EPERM:
	case ENODATA:		/* the end of the device */
	case ENOSPC:
	case EOPNOTSUPP:
		u->w->pulse->eio++;
		break;
	default:
		worker_fail(u->w, "%s: %s", what, strerror(err));
	}
}

/* ------------------------------------------------------------------------ I/O */

static uint64_t some_offset(struct use *u, uint64_t *len)
{
	uint64_t sectors = u->sectors, at;

	/* mostly where the fixtures have data; a damaged size may make the disk large */
	if (sectors > DISK_BYTES / SECTOR && rng_below(u->rng, 4))
		sectors = DISK_BYTES / SECTOR;
	at = rng_below(u->rng, sectors);
	*len = 1 + rng_below(u->rng, rng_below(u->rng, 2) ? 16 : 256);
	if (!rng_below(u->rng, 3)) {
		at &= ~7ull;
		*len = (*len + 7) & ~7ull;
	}
	if (*len > u->sectors - at)
		*len = u->sectors - at;
	*len *= SECTOR;
	return at * SECTOR;
}

static void op_read_all(struct use *u)
{
	uint64_t end = u->sectors * SECTOR, off;

	worker_beat(u->w, "reading");
	if (end > 2 * DISK_BYTES)
		end = 2 * DISK_BYTES;
	for (off = 0; off < end; off += PIECE)
		io_result(u, "read", pread_full(u->fd, u->buf, end - off < PIECE ? end - off : PIECE,
						off));
}

static void op_read(struct use *u)
{
	unsigned int n = 8;
	uint64_t len;

	worker_beat(u->w, "reading here and there");
	while (n--) {
		uint64_t off = some_offset(u, &len);

		io_result(u, "read", pread_full(u->fd, u->buf, len, off));
	}
}

static void op_write(struct use *u)
{
	unsigned int n = 8;
	uint64_t len;

	if (!u->w->m.writable)
		return;
	worker_beat(u->w, "writing");
	memset(u->buf, rng_next(u->rng), PIECE);
	while (n--) {
		uint64_t off = some_offset(u, &len);

		io_result(u, "write", pwrite_full(u->fd, u->buf, len, off));
	}
	if (rng_below(u->rng, 2) && fsync(u->fd))
		io_result(u, "fsync", errno);
}

static void op_discard(struct use *u)
{
	unsigned long cmd = rng_below(u->rng, 2) ? BLKDISCARD : BLKZEROOUT;
	uint64_t range[2];

	if (!u->w->m.writable)
		return;
	worker_beat(u->w, "discarding");
	range[0] = some_offset(u, &range[1]);
	if (!rng_below(u->rng, 8)) {
		range[0] = 0;
		range[1] = u->sectors * SECTOR;
		if (range[1] > 4 * DISK_BYTES)
			range[1] = 4 * DISK_BYTES;
	}
	if (ioctl(u->fd, cmd, range))
		io_result(u, "discard", errno);
}

/* ------------------------------------------------------------------------ jobs */

static void wait_job(struct use *u, struct job_status *st)
{
	unsigned int polls;

	/* no limit here: the parent watches the progress */
	for (polls = 0; !dm_status(u->name, st); polls++) {
		if (!st->present || !strcmp(st->state, "concluded"))
			return;
		if (polls % 50 == 49 && (polls > 150 || !strcmp(st->state, "paused")))
			dm_message(u->name, "job-cancel");
		usleep(POLL_US);
	}
}

static void op_stream(struct use *u)
{
	static const char *const policy[] = { "report", "stop", "enospc" };
	struct job_status st;
	int base = (int)rng_below(u->rng, 5) - 2;

	worker_beat(u->w, "streaming");
	if (base < 0)
		dm_message(u->name, "base none");
	else
		dm_message(u->name, "base %d", base);
	if (!rng_below(u->rng, 4))
		dm_message(u->name, "stream on-error report backing-file %.*s raw",
			   1 + (int)rng_below(u->rng, 40), "a-name-of-some-length-for-the-header.raw");
	else
		dm_message(u->name, "stream on-error %s", policy[rng_below(u->rng, 3)]);
	if (rng_below(u->rng, 4)) {
		wait_job(u, &st);
		if (st.present && !strcmp(st.state, "concluded") && !st.error)
			u->w->pulse->streams++;
	}
}

static void op_job(struct use *u)
{
	static const char *const word[] = { "job-pause", "job-resume", "job-cancel",
					    "job-set-speed 65536", "job-set-speed 0" };

	worker_beat(u->w, "controlling the job");
	dm_message(u->name, "%s", word[rng_below(u->rng, ARRAY_SIZE(word))]);
}

static void op_snapshot(struct use *u)
{
	struct mutant *m = &u->w->m;

	if (!m->spare)
		return;
	worker_beat(u->w, "taking a snapshot");
	m->spare_used = m->spare_used || m->writable;
	if (!dm_message(u->name, "snapshot qcow2 %s %s", m->spare->number,
			m->spare_data ? m->spare_data->number : "-"))
		u->w->pulse->snapshots++;
}

static void op_suspend(struct use *u)
{
	char params[512];
	uint64_t sectors;

	worker_beat(u->w, "suspending");
	/* a table that is not read-only would make the device writable */
	if (u->w->m.writable && rng_below(u->rng, 2) && !dm_table(u->name, params, sizeof(params), &sectors))
		dm_reload(u->name, sectors, params);
	dm_suspend(u->name, rng_below(u->rng, 2));
	u->suspended = dm_resume(u->name);
}

/* Makes the device shorter, or as long as it was, as the owner of a file may do. */
static void op_cut(struct use *u)
{
	struct slice *s = u->w->m.target;

	if (!u->w->m.live)
		return;
	worker_beat(u->w, "cutting the device in use");
	slice_cut(u->w, s, s->cut ? s->len : 4096 + (rng_below(u->rng, s->len - 4096) & ~511ull));
}

static void op_damage(struct use *u)
{
	struct mutant *m = &u->w->m;

	if (m->live)
		mutate(u->w, u->rng, rng_below(u->rng, 2) ? KIND_L2_MANY : KIND_PACKED);
}

/* ----------------------------------------------------------------- attach, detach */

static int add_layer(char *p, size_t len, const char *kind, const struct slice *s,
		     const struct slice *data)
{
	return s ? snprintf(p, len, " %s %s %s", kind, s->number, data ? data->number : "-") : 0;
}

static void make_table(struct use *u, char *table, size_t len)
{
	static const char *const feature[] = { "0", "0", "0", "1 ignore_identity", "1 allow_sealed",
					       "1 no_auto_resume" };
	const struct mutant *m = &u->w->m;
	unsigned int layers = !!m->base + !!m->mid + !!m->top;
	int n = snprintf(table, len, "%s %u",
			 m->kind == KIND_NONE ? "0" : feature[rng_below(u->rng, ARRAY_SIZE(feature))],
			 layers);

	n += add_layer(table + n, len - n, "raw", m->base, NULL);
	n += add_layer(table + n, len - n, "qcow2", m->mid, m->mid_data);
	add_layer(table + n, len - n, "qcow2", m->top, m->top_data);
}

/* The length of the undamaged disk, or the one in the damaged header. */
static uint64_t table_length(struct use *u)
{
	const struct mutant *m = &u->w->m;
	const struct slice *active = m->top ? m->top : m->mid;
	uint64_t said = be_get(active->map + 24, 8) / SECTOR;

	if (m->kind == KIND_NONE || !said || said > 1ull << 40 || rng_below(u->rng, 3))
		return DISK_BYTES / SECTOR;
	return said;
}

static bool attach(struct use *u)
{
	const struct mutant *m = &u->w->m;
	char table[512], path[64];

	worker_beat(u->w, "attaching");
	make_table(u, table, sizeof(table));
	u->sectors = table_length(u);
	snprintf(u->name, sizeof(u->name), "cct-mutant%u", u->w->id);
	if (dm_create(u->name, "cowchain", u->sectors, table, !m->writable))
		return false;
	u->w->pulse->accepted++;
	snprintf(path, sizeof(path), "/dev/mapper/%s", u->name);
	u->fd = open(path, (m->writable ? O_RDWR : O_RDONLY) | O_DIRECT);
	if (u->fd < 0)
		worker_fail(u->w, "%s: %s", path, strerror(errno));
	return true;
}

static void detach(struct use *u)
{
	unsigned int tries;
	int err;

	worker_beat(u->w, "removing");
	if (u->fd >= 0)
		close(u->fd);
	for (tries = 0; tries < 500; tries++) {
		err = dm_remove(u->name);
		if (err != EBUSY)
			break;
		usleep(10000);
	}
	if (err)
		worker_fail(u->w, "cannot remove it: %s", strerror(err));
}

/* ------------------------------------------------------------------------- the use */

/* Undamaged, the disk reads like its model. This shows that the other mutants test something. */
static void control_read(struct use *u, const char *when)
{
	const struct slice *model = u->w->m.mid;
	char file[512];
	uint64_t off;
	int fd;

	snprintf(file, sizeof(file), "%s/%.*s.model", u->w->dir,
		 (int)strcspn(model->file, "."), model->file);
	fd = open(file, O_RDONLY);
	if (fd < 0)
		die("%s: %s", file, strerror(errno));
	for (off = 0; off < DISK_BYTES; off += PIECE) {
		if (pread_full(u->fd, u->buf, PIECE, off) ||
		    pread_full(fd, u->buf + PIECE, PIECE, off))
			worker_fail(u->w, "undamaged, but it cannot be read %s", when);
		else if (memcmp(u->buf, u->buf + PIECE, PIECE))
			worker_fail(u->w, "undamaged, but it reads wrong %s", when);
	}
	close(fd);
}

static void control(struct use *u)
{
	struct job_status st;

	control_read(u, "at first");
	if (!u->w->m.writable)
		return;
	worker_beat(u->w, "streaming an undamaged chain");
	if (dm_message(u->name, "stream")) {
		worker_fail(u->w, "undamaged, but it cannot be streamed");
		return;
	}
	wait_job(u, &st);
	if (!st.present || st.error)
		worker_fail(u->w, "undamaged, but the stream ends with %d", st.error);
	u->w->pulse->streams++;
	control_read(u, "after a stream");
}

static const struct {
	void (*fn)(struct use *u);
	unsigned int weight;
} ops[] = {
	{ op_read_all, 3 }, { op_read, 3 }, { op_write, 5 }, { op_discard, 3 }, { op_stream, 3 },
	{ op_job, 1 }, { op_snapshot, 2 }, { op_suspend, 1 }, { op_cut, 1 }, { op_damage, 2 },
};

static void some_op(struct use *u)
{
	unsigned int i, total = 0, n;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		total += ops[i].weight;
	n = rng_below(u->rng, total);
	for (i = 0; n >= ops[i].weight; i++)
		n -= ops[i].weight;
	ops[i].fn(u);
}

/* Another process that stores into the image, at any time. */
struct live {
	struct worker *w;
	_Atomic bool stop;
	pthread_t thread;
};

static void *live_thread(void *arg)
{
	struct live *l = arg;
	struct rng rng = { .state = mix64(l->w->m.seed + 77) };

	while (!l->stop) {
		mutate(l->w, &rng, KIND_HEADER_BITS + rng_below(&rng, KIND_CUT - KIND_HEADER_BITS));
		usleep(rng_below(&rng, 4000));
	}
	return NULL;
}

static void use_it(struct use *u)
{
	unsigned int n = 3 + rng_below(u->rng, 5);
	struct live live = { .w = u->w };
	bool thread = u->w->m.live && rng_below(u->rng, 2);

	if (thread && pthread_create(&live.thread, NULL, live_thread, &live))
		die("cannot start a thread");
	while (n-- && !u->suspended)
		some_op(u);
	if (thread) {
		live.stop = true;
		pthread_join(live.thread, NULL);
	}
}

void mutant_use(struct worker *w)
{
	static uint8_t *buf;
	struct use u = { .w = w, .rng = &w->m.rng, .fd = -1 };
	bool undamaged = w->m.kind == KIND_NONE &&
			 (!w->m.top || !strstr(w->m.top->file, "-used"));

	if (!buf)
		buf = xalloc_io(2 * PIECE);
	u.buf = buf;
	if (!attach(&u)) {
		if (undamaged)
			worker_fail(w, "undamaged, but refused");
		return;
	}
	if (u.fd >= 0 && undamaged)
		control(&u);
	if (u.fd >= 0)
		use_it(&u);
	detach(&u);
}
