// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultwalk: the steps of a scenario, and who may get which error.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/fs.h>

#include "fault.h"

/* Properties of a step. */
#define S_WRITES	1u	/* a chain that has become read-only refuses it */
#define S_SYNC		2u	/* waits for a commit: its errors must not be hidden */
#define S_HIDES		4u	/* an error here may go unnoticed: the step does not need that I/O */
#define S_REFUSED	8u	/* in mode ro it must fail */
#define S_JOB		16u	/* speaks to a job, which a fault may have ended */

struct step {
	const char *what;
	unsigned int flags;
	int (*fn)(struct walk *w, const struct step *s);
	enum io_kind kind;
	uint32_t sector;
	uint32_t sectors;
	uint16_t value;
	const char *text;
};

void wrong(struct walk *w, const char *fmt, ...)
{
	const struct fault *f = &w->fault;
	struct hit h;
	va_list ap;

	fault_look(f->kind, &h);
	if (!h.failed)
		h = w->hit;
	w->failed = true;
	fprintf(stderr, "# FAILED: %s/%s n=%llu times=%lld errno=%d late=%d (%llu failed, first: "
		"%c of %u sectors at %llu of %s): %s: ", w->scenario->name, w->form,
		(unsigned long long)f->nth, f->times, f->error, f->late,
		(unsigned long long)h.failed, h.op, h.sectors, (unsigned long long)h.sector,
		h.failed && f->kind == FAULT_IO ? w->files[h.id].name : "-", w->why ? w->why : "");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* ---- verdicts ---- */

bool hit_meta(const struct walk *w, const struct hit *h)
{
	return h->sector * SECTOR < w->files[h->id].meta_end;
}

/* A layer below the top, or the top? */
static bool hit_below(const struct walk *w, const struct hit *h)
{
	unsigned int layer = h->id >= FIRST_DATA ? h->id - FIRST_DATA + FIRST_TOP : h->id;

	return layer < w->top;
}

bool one_shot(const struct walk *w)
{
	return w->fault.times == 1;
}

void look_mode(struct walk *w)
{
	struct job_status st;

	if (!w->created || dm_status(NAME, &st))
		return;
	w->broken = !strcmp(st.mode, "ro");
}

/* Must a step that met the fault have failed? */
static bool must_fail(const struct walk *w, const struct step *s, const struct hit *h)
{
	if (w->fault.kind != FAULT_IO || w->shared || (s->flags & S_HIDES))
		return false;
	if (h->op == 'd' || h->op == 'z')
		return false;	/* a hint; or it is done by writes instead */
	if (h->op == 'r')
		return !(hit_below(w, h) && hit_meta(w, h));
	/* a commit in the background: then the mode says so */
	if (!(s->flags & S_SYNC))
		return h->op == 'w' && !hit_meta(w, h) && !w->broken;
	return true;
}

bool right_errno(const struct walk *w, const struct hit *h, int err)
{
	if (w->fault.kind != FAULT_IO)
		return err == ENOMEM;
	if (err == w->fault.error)
		return true;
	/* the flush behind bits is dm-bufio's, which knows no other error; the mode says it, too */
	if (err == EIO && h->op == 'f' && w->broken)
		return true;
	/* metadata of a lower layer: what it may provide is EIO */
	return err == EIO && h->op == 'r' && hit_below(w, h) && hit_meta(w, h);
}

static void judge_good(struct walk *w, const struct step *s, const struct hit *h, bool hit,
		       bool was_broken)
{
	if (hit && one_shot(w) && must_fail(w, s, h))
		wrong(w, "%s: the error was hidden", s->what);
	if (was_broken && (s->flags & S_REFUSED))
		wrong(w, "%s: accepted, though the mode is ro", s->what);
}

static bool job_gone(const struct step *s, const struct hit *h, int err)
{
	return (s->flags & S_JOB) && h->failed && err == ENOENT;
}

/* The device cannot do that: it is done in another way, and nobody sees an error. */
static bool not_needed(const struct walk *w, const struct hit *h)
{
	return w->fault.kind == FAULT_IO && h->op == 'z' &&
	       (w->fault.error == EREMOTEIO || w->fault.error == EOPNOTSUPP);
}

static int do_io_kept(struct walk *w, const struct step *s);

/* Did a write of the top's data that failed lie where this step writes, in whole subclusters? */
static bool hit_here(const struct walk *w, const struct step *s, const struct hit *h)
{
	/* its clusters follow each other */
	uint64_t from = h->sector - w->files[h->id].meta_end / SECTOR;

	return from < ((s->sector + s->sectors + 7) & ~7u) && from + h->sectors > (s->sector & ~7u);
}

/*
 * May an I/O that failed be what this step has failed for? What a commit or a job has met, in the
 * background, is nobody else's business.
 */
static bool may_be_its_own(const struct walk *w, const struct step *s, const struct hit *h)
{
	bool commits = h->op == 'f' || (h->op == 'w' && hit_meta(w, h));
	bool data = h->op == 'w' && !hit_meta(w, h);

	if (w->fault.kind != FAULT_IO || s->fn != do_io_kept || !one_shot(w))
		return true;
	switch (s->kind) {
	case IO_READ:
		return h->op == 'r';
	case IO_WRITE:
		return h->op == 'r' || (data && hit_here(w, s, h));
	case IO_FLUSH:
		return commits;
	case IO_FUA:
	case IO_ZERO:
	case IO_DISCARD:
		return commits || h->op != 'w' || hit_here(w, s, h);
	}
	return true;
}

static bool is_flush(const struct step *s)
{
	return s->kind == IO_FLUSH || s->kind == IO_FUA;
}

static void judge_bad(struct walk *w, const struct step *s, const struct hit *h, bool hit,
		      bool was_broken, int err)
{
	if (hit && not_needed(w, h)) {
		wrong(w, "%s: %s, though zeros can be written as data", s->what, strerror(err));
		return;
	}
	if (hit && right_errno(w, h, err) && may_be_its_own(w, s, h))
		return;
	if ((was_broken || w->broken) && (s->flags & S_WRITES) && (err == EIO || err == EROFS))
		return;
	if (!one_shot(w) && h->failed && (err == EIO || err == w->fault.error || err == EROFS))
		return;
	if (job_gone(s, h, err))
		return;
	if (w->owed && is_flush(s) && err == EIO) {
		w->owed = false;
		return;
	}
	if (hit && !may_be_its_own(w, s, h))
		wrong(w, "%s: %s, but what has failed was not for it", s->what, strerror(err));
	else if (hit)
		wrong(w, "%s: %s, expected %s", s->what, strerror(err),
		      strerror(w->fault.kind == FAULT_IO ? w->fault.error : ENOMEM));
	else
		wrong(w, "%s: %s, but no fault came here", s->what, strerror(err));
}

/* Runs a step once and judges it. */
static int attempt(struct walk *w, const struct step *s)
{
	bool was_broken = w->broken;
	struct hit before, after;
	bool hit;
	int err;

	w->steps++;
	fault_look(w->fault.kind, &before);
	err = s->fn(w, s);
	fault_look(w->fault.kind, &after);
	hit = after.failed > before.failed;
	if (hit || err)
		look_mode(w);
	if (err)
		judge_bad(w, s, &after, hit, was_broken, err);
	else
		judge_good(w, s, &after, hit, was_broken);
	return err;
}

/* A fault that has come is over: a second time the step has to work. */
static int step(struct walk *w, const struct step *s)
{
	int err = attempt(w, s);
	struct hit h;

	fault_look(w->fault.kind, &h);
	if (!err || (w->broken && (s->flags & S_WRITES)) || job_gone(s, &h, err))
		return err;
	err = attempt(w, s);
	if (err && one_shot(w) && !(w->broken && (s->flags & S_WRITES)))
		wrong(w, "%s: %s also when it is tried again", s->what, strerror(err));
	return err;
}

/* ---- I/O ---- */

static int do_io(struct walk *w, const struct step *s)
{
	uint64_t range[2] = { (uint64_t)s->sector * SECTOR, (uint64_t)s->sectors * SECTOR };
	uint8_t *buf;
	struct iovec iov;
	ssize_t n;
	uint32_t i;
	int err;

	if (s->kind == IO_FLUSH)
		return fsync(w->dev) ? errno : 0;
	if (s->kind == IO_ZERO || s->kind == IO_DISCARD)
		return ioctl(w->dev, s->kind == IO_ZERO ? BLKZEROOUT : BLKDISCARD, range) ?
		       errno : 0;
	buf = xalloc_io(range[1]);
	if (s->kind == IO_READ) {
		err = pread_full(w->dev, buf, range[1], range[0]);
		if (!err && !fmodel_read(&w->model, s->sector, s->sectors, buf, s->what))
			wrong(w, "%s: wrong contents", s->what);
		free(buf);
		return err;
	}
	for (i = 0; i < s->sectors; i++)
		sector_fill(buf + (size_t)i * SECTOR, w->model.seed, s->sector + i, s->value);
	iov = (struct iovec){ .iov_base = buf, .iov_len = range[1] };
	n = pwritev2(w->dev, &iov, 1, range[0], s->kind == IO_FUA ? RWF_DSYNC : 0);
	err = n < 0 ? errno : (uint64_t)n == range[1] ? 0 : EIO;
	free(buf);
	return err;
}

/*
 * What a write that has failed left behind: old or new in each sector, and nothing else around it.
 * Before it is tried again, which would cover the traces.
 */
static void look_after(struct walk *w, const struct step *s)
{
	uint32_t from = s->sector & ~7u;
	uint32_t end = (s->sector + s->sectors + 7) & ~7u;
	uint8_t *buf;
	int err;

	if (!one_shot(w))
		return;
	buf = xalloc_io((size_t)(end - from) * SECTOR);
	err = pread_full(w->dev, buf, (size_t)(end - from) * SECTOR, (uint64_t)from * SECTOR);
	if (err)
		wrong(w, "%s: what it left behind cannot be read: %s", s->what, strerror(err));
	else if (!fmodel_read(&w->model, from, end - from, buf, s->what))
		wrong(w, "%s: it left something wrong behind", s->what);
	free(buf);
}

/* The model is told of each attempt, not only of the last. */
static int do_io_kept(struct walk *w, const struct step *s)
{
	bool was_broken = w->broken;
	int err = do_io(w, s);

	if (s->kind == IO_READ)
		return err;
	if (!err && is_flush(s))
		w->owed = false;
	if (s->kind == IO_FLUSH) {
		if (!err)
			fmodel_flush(&w->model, 0, w->model.sectors);
		return err;
	}
	/* what a read-only chain has refused never happens */
	if (!err || !was_broken)
		fmodel_write(&w->model, s->sector, s->sectors, s->value, !err);
	if (err)
		look_after(w, s);
	if (!err && s->kind == IO_FUA)
		fmodel_flush(&w->model, s->sector, s->sectors);
	return err;
}

void step_part(struct walk *w, enum io_kind kind, uint32_t sector, uint32_t sectors)
{
	static const struct {
		const char *what;
		unsigned int flags;
	} kinds[] = {
		[IO_READ] = { "read", 0 },
		[IO_WRITE] = { "write", S_WRITES | S_REFUSED },
		[IO_FUA] = { "FUA write", S_WRITES | S_REFUSED | S_SYNC },
		/* the block layer tries again with writes */
		[IO_ZERO] = { "write zeroes", S_WRITES | S_REFUSED | S_HIDES },
		[IO_DISCARD] = { "discard", S_WRITES | S_REFUSED },
		[IO_FLUSH] = { "flush", S_WRITES | S_SYNC },
	};
	char what[96];
	struct step s = {
		.what = what, .flags = kinds[kind].flags, .fn = do_io_kept, .kind = kind,
		.sector = sector, .sectors = sectors,
	};

	if (w->dev < 0)
		return;
	snprintf(what, sizeof(what), "%s of %u sectors at %u", kinds[kind].what, sectors, sector);
	if (kind == IO_WRITE || kind == IO_FUA)
		s.value = ++w->model.seq;
	if (kind == IO_ZERO || kind == IO_DISCARD)
		s.value = VALUE_ZERO;
	step(w, &s);
}

void step_io(struct walk *w, enum io_kind kind, uint32_t kib, uint32_t len_kib)
{
	step_part(w, kind, kib * 2, len_kib * 2);
}

void step_flush(struct walk *w)
{
	step_part(w, IO_FLUSH, 0, 0);
}

void step_read_all(struct walk *w)
{
	uint32_t at;
	uint32_t n = (1u << 20) / SECTOR;

	for (at = 0; at < w->model.sectors; at += n)
		step_part(w, IO_READ, at, n < w->model.sectors - at ? n : w->model.sectors - at);
}

/* ---- the table ---- */

const char *layer_dev(const struct walk *w, unsigned int file, char *buf, size_t len)
{
	snprintf(buf, len, "/dev/mapper/cct-f%u", w->files[file].id);
	return buf;
}

void table_for(struct walk *w, unsigned int top, const char *features, char *params, size_t len)
{
	size_t at = snprintf(params, len, "%s %u", features, top + 1);
	char dev[64], data[64];
	unsigned int i;

	for (i = 0; i <= top; i++) {
		bool ext = w->ext && i >= FIRST_TOP;

		at += snprintf(params + at, len - at, " %s %s %s", i ? "qcow2" : "raw",
			       layer_dev(w, i, dev, sizeof(dev)),
			       ext ? layer_dev(w, FIRST_DATA + i - FIRST_TOP, data, sizeof(data)) :
			       "-");
	}
}

static int do_create(struct walk *w, const struct step *s)
{
	(void)w;
	(void)s;
	return dm_create_empty(NAME);
}

static int do_load(struct walk *w, const struct step *s)
{
	return dm_reload(NAME, w->model.sectors, s->text);
}

static int do_resume(struct walk *w, const struct step *s)
{
	(void)w;
	(void)s;
	return dm_resume(NAME);
}

static int do_suspend(struct walk *w, const struct step *s)
{
	(void)w;
	(void)s;
	return dm_suspend(NAME, false);
}

static int do_message(struct walk *w, const struct step *s)
{
	(void)w;
	return dm_message(NAME, "%s", s->text);
}

void walk_open(struct walk *w)
{
	w->dev = open("/dev/mapper/" NAME, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (w->dev < 0)
		wrong(w, "the device cannot be opened: %s", strerror(errno));
}

void step_create_params(struct walk *w, const char *params)
{
	struct step create = { .what = "create", .fn = do_create };
	struct step load = { .what = "load", .fn = do_load, .text = params };
	struct step resume = { .what = "first resume", .fn = do_resume, .flags = S_SYNC };

	w->broken = false;
	if (step(w, &create))
		return;
	w->created = true;
	if (step(w, &load) || step(w, &resume))
		return;
	walk_open(w);
}

void step_create(struct walk *w, unsigned int top, const char *features)
{
	char params[PARAMS];

	w->top = top;
	w->layers = top + 1;
	w->features = features;
	table_for(w, top, features, params, sizeof(params));
	step_create_params(w, params);
}

/* An error is told only in the log and by the mode; without one, all is durable. */
void step_suspend(struct walk *w)
{
	struct step s = { .what = "suspend", .fn = do_suspend, .flags = S_HIDES };
	struct hit before, after;

	if (w->dev < 0)
		return;
	fault_look(w->fault.kind, &before);
	step(w, &s);
	fault_look(w->fault.kind, &after);
	if (!w->broken && before.failed == after.failed)
		fmodel_flush(&w->model, 0, w->model.sectors);
}

/* With errors that go on: no more I/O, which would wait for good. */
static void leave_suspended(struct walk *w)
{
	close(w->dev);
	w->dev = -1;
}

void step_resume(struct walk *w)
{
	struct step s = { .what = "resume", .fn = do_resume, .flags = S_SYNC };

	if (w->dev >= 0 && step(w, &s))
		leave_suspended(w);
}

/* A commit that failed on suspend is not carried into the new table: it reads what is on disk. */
void step_reload(struct walk *w)
{
	struct step load = { .what = "reload", .fn = do_load };
	struct step resume = { .what = "resume of the new table", .fn = do_resume, .flags = S_SYNC };
	char params[PARAMS];

	if (w->dev < 0)
		return;
	if (dm_table(NAME, params, sizeof(params), NULL)) {
		wrong(w, "no table");
		return;
	}
	load.text = params;
	if (step(w, &load))
		return;
	step_suspend(w);
	if (w->broken)
		fmodel_lose(&w->model);
	w->owed = w->broken;
	w->broken = false;
	if (step(w, &resume))
		leave_suspended(w);
	else
		look_mode(w);
}

void step_remove(struct walk *w)
{
	struct hit before, after;
	int err;

	if (w->dev >= 0)
		close(w->dev);
	w->dev = -1;
	if (!w->created)
		return;
	look_mode(w);
	fault_look(w->fault.kind, &before);
	err = dm_remove(NAME);
	fault_look(w->fault.kind, &after);
	if (err) {
		wrong(w, "the device cannot be removed: %s", strerror(err));
		return;
	}
	w->created = false;
	if (w->broken || after.failed > before.failed)
		fmodel_lose(&w->model);
	else
		fmodel_flush(&w->model, 0, w->model.sectors);
	w->broken = false;
}

static bool message(struct walk *w, const char *text, int (*how)(struct walk *,
								 const struct step *))
{
	struct step s = { .flags = S_WRITES | S_SYNC, .fn = do_message, .text = text };
	bool stream = !strncmp(text, "stream", 6);
	char what[544];
	struct hit h;

	if (w->dev < 0)
		return false;
	snprintf(what, sizeof(what), "message %s", text);
	s.what = what;
	/*
	 * What the header says of a running job only matters after a crash; and a job that has just
	 * begun may meet the fault before the message has returned.
	 */
	if (stream || !strncmp(text, "job-", 4))
		s.flags |= S_HIDES;
	if (!strncmp(text, "job-", 4))
		s.flags |= S_JOB;
	fault_look(w->fault.kind, &h);
	if (!(s.flags & S_JOB))
		w->job_mark = h.failed;
	if (how(w, &s))
		return false;
	w->shared |= stream;
	return true;
}

bool step_message(struct walk *w, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return message(w, text, step);
}

bool step_message_once(struct walk *w, const char *text)
{
	return message(w, text, attempt);
}
