// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultwalk: steps that do I/O as the guest does, and keep the model up to date.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/fs.h>

#include "steps-io.h"
#include "verdict.h"

/*
 * The target remembers that it could not read a table, for as long as the attempt has taken and a
 * second at most. So a read of the background may have met the fault, and I/O that comes soon after
 * gets its error.
 *
 * Return: true if that may be so, after a while: repeat the I/O.
 */
static bool may_be_remembered(struct walk *w, const struct hit *before, int err, uint64_t until)
{
	struct hit after;

	fault_look(w->fault.kind, &after);
	if (err != EIO || !before->failed || before->op != 'r' || after.failed > before->failed ||
	    now_ms() >= until)
		return false;
	usleep(20000);
	return true;
}

static int try_io(struct walk *w, const struct step *s)
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
	/* Linux sends a flush behind a FUA write: either of them may meet the fault. */
	n = pwritev2(w->dev, &iov, 1, range[0], s->kind == IO_FUA ? RWF_DSYNC : 0);
	err = n < 0 ? errno : (uint64_t)n == range[1] ? 0 : EIO;
	free(buf);
	return err;
}

static int do_io(struct walk *w, const struct step *s)
{
	uint64_t until = now_ms() + OUTLIVE_MS;
	struct hit before;
	int err;

	do {
		fault_look(w->fault.kind, &before);
		err = try_io(w, s);
	} while (may_be_remembered(w, &before, err, until));
	return err;
}

static int read_after(struct walk *w, void *buf, size_t bytes, uint64_t offset)
{
	uint64_t until = now_ms() + OUTLIVE_MS;
	struct hit before;
	int err;

	do {
		fault_look(w->fault.kind, &before);
		err = pread_full(w->dev, buf, bytes, offset);
	} while (may_be_remembered(w, &before, err, until));
	return err;
}

/*
 * A write that has failed left the old or the new contents in each sector, and changed nothing
 * around it. Look before it is tried again, which would hide that.
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
	err = read_after(w, buf, (size_t)(end - from) * SECTOR, (uint64_t)from * SECTOR);
	if (err)
		wrong(w, "%s: what it left behind cannot be read: %s", s->what, strerror(err));
	else if (!fmodel_read(&w->model, from, end - from, buf, s->what))
		wrong(w, "%s: it left something wrong behind", s->what);
	free(buf);
}

/* Each attempt goes to the model, not only the last one. */
static int do_io_kept(struct walk *w, const struct step *s)
{
	bool was_broken = w->broken;
	int err = do_io(w, s);

	if (s->kind == IO_READ)
		return err;
	if (!err && step_is_flush(s))
		w->owed = false;
	if (s->kind == IO_FLUSH) {
		if (!err)
			fmodel_flush(&w->model, 0, w->model.sectors);
		return err;
	}
	/* a write that a read-only chain refuses has no effect */
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
		/* after an error, the block layer tries again with writes */
		[IO_ZERO] = { "write zeroes", S_WRITES | S_REFUSED | S_HIDES },
		[IO_DISCARD] = { "discard", S_WRITES | S_REFUSED },
		[IO_FLUSH] = { "flush", S_WRITES | S_SYNC },
	};
	char what[96];
	struct step s = {
		.what = what, .flags = kinds[kind].flags | S_IO, .fn = do_io_kept, .kind = kind,
		.sector = sector, .sectors = sectors,
	};

	if (w->dev < 0)
		return;
	snprintf(what, sizeof(what), "%s of %u sectors at %u", kinds[kind].what, sectors, sector);
	if (kind == IO_WRITE || kind == IO_FUA)
		s.value = ++w->model.seq;
	if (kind == IO_ZERO || kind == IO_DISCARD)
		s.value = VALUE_ZERO;
	step_run(w, &s);
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
