// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultwalk: which step may get which error.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dm.h"
#include "scenarios.h"
#include "verdict.h"

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

bool hit_meta(const struct walk *w, const struct hit *h)
{
	return h->sector * SECTOR < w->files[h->id].meta_end;
}

static unsigned int hit_layer(const struct hit *h)
{
	return h->id >= FIRST_DATA ? h->id - FIRST_DATA + FIRST_TOP : h->id;
}

/* A layer below the top, or the top? */
static bool hit_below(const struct walk *w, const struct hit *h)
{
	return hit_layer(h) < w->top;
}

bool pivoted(const struct walk *w)
{
	return w->active && w->top == w->base;
}

bool hit_base(const struct walk *w, const struct hit *h)
{
	/* once it is the top, it is the guest's */
	if (pivoted(w) && !w->before_pivot)
		return false;
	return w->fault.kind == FAULT_IO && h->failed && h->op != 'r' && w->base != NO_FILE &&
	       hit_layer(h) == w->base;
}

bool hit_only_base(const struct walk *w, const struct hit *h)
{
	return hit_base(w, h) && (one_shot(w) || (w->only && !(w->fault.ops & FAULT_READS)));
}

bool one_shot(const struct walk *w)
{
	return w->fault.times == 1;
}

bool pivot_unknown(const struct walk *w, const struct hit *h)
{
	return w->active && !one_shot(w) && hit_base(w, h) &&
	       (h->op == 'f' || (h->op == 'w' && h->sector == 0));
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
	/* a commit in the background: the mode shows its error */
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
	/*
	 * dm-bufio flushes after it has written bits, and knows no other error; the mode shows it,
	 * too
	 */
	if (err == EIO && h->op == 'f' && (w->broken || hit_base(w, h)))
		return true;
	/* if metadata of a lower layer cannot be read, what this layer might provide is EIO */
	return err == EIO && h->op == 'r' && hit_below(w, h) && hit_meta(w, h);
}

void verdict_passed(struct walk *w, const struct step *s, const struct hit *h, bool hit,
		    bool was_broken)
{
	if (hit && one_shot(w) && must_fail(w, s, h))
		wrong(w, "%s: the error was hidden", s->what);
	if (was_broken && (s->flags & S_REFUSED))
		wrong(w, "%s: accepted, though the mode is ro", s->what);
}

bool verdict_job_gone(const struct step *s, const struct hit *h, int err)
{
	return (s->flags & S_JOB) && h->failed && err == ENOENT;
}

/* The device does not support it: it is done in another way, without an error. */
static bool not_needed(const struct walk *w, const struct hit *h)
{
	return w->fault.kind == FAULT_IO && h->op == 'z' &&
	       (w->fault.error == EREMOTEIO || w->fault.error == EOPNOTSUPP);
}

/* Was the write of the top's data that failed in the subclusters to which this step writes? */
static bool hit_here(const struct walk *w, const struct step *s, const struct hit *h)
{
	/* the clusters of the top are in the order of the disk */
	uint64_t from = h->sector - w->files[h->id].meta_end / SECTOR;

	return from < ((s->sector + s->sectors + 7) & ~7u) && from + h->sectors > (s->sector & ~7u);
}

/*
 * May the I/O that failed be the reason for the failure of this step? An error of a commit or a job
 * in the background must not be.
 */
static bool may_be_its_own(const struct walk *w, const struct step *s, const struct hit *h)
{
	bool commits = h->op == 'f' || (h->op == 'w' && hit_meta(w, h));
	bool data = h->op == 'w' && !hit_meta(w, h);

	if (w->fault.kind != FAULT_IO || !(s->flags & S_IO))
		return true;
	/* the guest knows nothing of what a commit writes */
	if (hit_only_base(w, h))
		return false;
	if (!one_shot(w))
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

bool step_is_flush(const struct step *s)
{
	return s->kind == IO_FLUSH || s->kind == IO_FUA;
}

void verdict_failed(struct walk *w, const struct step *s, const struct hit *h, bool hit,
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
	if (!one_shot(w) && h->failed && (err == EIO || err == w->fault.error || err == EROFS) &&
	    !((s->flags & S_IO) && hit_only_base(w, h)))
		return;
	if (verdict_job_gone(s, h, err))
		return;
	if (w->owed && step_is_flush(s) && err == EIO) {
		w->owed = false;
		return;
	}
	if (hit && !may_be_its_own(w, s, h))
		wrong(w, "%s: %s, but the I/O that failed was not its own", s->what, strerror(err));
	else if (hit)
		wrong(w, "%s: %s, expected %s", s->what, strerror(err),
		      strerror(w->fault.kind == FAULT_IO ? w->fault.error : ENOMEM));
	else
		wrong(w, "%s: %s, but no fault came here", s->what, strerror(err));
}
