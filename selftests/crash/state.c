// SPDX-License-Identifier: GPL-2.0-only
/*
 * crashreplay: loads the recording, and applies entries of the log to the disk and undoes them.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "state.h"
#include "trace.h"

/* A private mapping: changes stay in memory. */
static uint8_t *map_file(const struct replay *r, const char *name, uint64_t *size)
{
	char path[640];
	void *p;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	*size = size_of_fd(fd);
	p = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		die("%s: %s", path, strerror(errno));
	close(fd);
	return p;
}

static const struct slice *find_slice(const struct replay *r, const char *file)
{
	unsigned int i;

	for (i = 0; i < r->n_slices; i++)
		if (!strcmp(r->slice[i].file, file))
			return &r->slice[i];
	return NULL;
}

static const struct slice *slice_named(const struct replay *r, const char *file)
{
	const struct slice *s = find_slice(r, file);

	if (!s)
		die("no device for %s", file);
	return s;
}

static void add_top(struct replay *r, const char *meta, const char *data)
{
	const struct slice *s = slice_named(r, meta);

	if (r->n_tops == MAX_TOPS)
		die("too many tops");
	top_open(&r->top[r->n_tops++], r->disk + s->start * SECTOR, s,
		 strcmp(data, "-") ? slice_named(r, data) : NULL);
}

static void add_below(struct replay *r, const char *name, const char *flat, const char *chain)
{
	struct below *b = &r->below[r->n_below++];
	uint64_t size = 0;

	if (r->n_below == MAX_BELOW)
		die("too many backing files");
	snprintf(b->name, sizeof(b->name), "%s", strcmp(name, "-") ? name : "");
	snprintf(b->chain, sizeof(b->chain), "%s", chain);
	b->slice = find_slice(r, flat);
	if (b->slice) {
		b->data = r->disk + b->slice->start * SECTOR;
		size = b->slice->sectors * SECTOR;
	} else if (*b->name) {
		b->data = map_file(r, flat, &size);
	}
	if (*b->name && size != r->top[0].size)
		die("%s is not as large as the disk", flat);
}

/* "slice FILE START SECTORS MAJOR MINOR", "top FILE DATA|-", "below NAME FLAT CHAIN...", ... */
static void parse_layout(struct replay *r, char *line)
{
	struct slice *s = &r->slice[r->n_slices];
	char a[NAME_LEN], b[NAME_LEN];
	int n = 0;

	if (sscanf(line, "slice %63s %" SCNu64 " %" SCNu64 " %u %u", s->file, &s->start,
		   &s->sectors, &s->major, &s->minor) == 5) {
		if (++r->n_slices == MAX_SLICES)
			die("too many slices");
	} else if (sscanf(line, "top %63s %63s", a, b) == 2) {
		add_top(r, a, b);
	} else if (sscanf(line, "below %63s %63s %n", a, b, &n) == 2 && n) {
		add_below(r, a, b, line + n);
	} else if (sscanf(line, "final %63s", a) == 1) {
		r->final = strcmp(a, "-") ? strdup(a) : "";
	} else if (sscanf(line, "shared %63s", a) == 1 && r->n_shared < MAX_BELOW) {
		memcpy(r->shared[r->n_shared++], a, NAME_LEN);
	} else if (!strcmp(line, "no-model")) {
		r->no_model = true;
	} else if (!strcmp(line, "active")) {
		r->active = true;
	} else if (sscanf(line, "into %63s", a) == 1) {
		r->into = strdup(a);
	} else {
		die("unusable line in the layout: %s", line);
	}
}

static void read_layout(struct replay *r)
{
	char line[512], path[640];
	FILE *f;

	snprintf(path, sizeof(path), "%s/layout", r->dir);
	f = fopen(path, "r");
	if (!f)
		die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		parse_layout(r, line);
	}
	fclose(f);
	if (!r->n_tops || !r->n_below)
		die("%s: incomplete", path);
	r->job_top = r->n_tops - 1;
	while (r->into && strcmp(r->top[r->job_top].meta->file, r->into))
		if (!r->job_top--)
			die("%s: %s is no top", path, r->into);
}

/* ---- values of sectors ---- */

static bool is_in(const struct slice *s, uint64_t sector)
{
	return s && sector >= s->start && sector < s->start + s->sectors;
}

static uint32_t guest_at(const struct replay *r, uint64_t sector)
{
	unsigned int i;

	for (i = 0; i < r->n_tops; i++) {
		const struct top *t = &r->top[i];
		const struct slice *s = t->data ? t->data : t->meta;

		if (is_in(s, sector))
			return t->guest[sector - s->start];
	}
	for (i = 0; i < r->n_below; i++)
		if (is_in(r->below[i].slice, sector))
			return sector - r->below[i].slice->start;
	return NO_GUEST;
}

static uint32_t value_at(const struct replay *r, uint64_t sector, const void *data)
{
	uint32_t g = guest_at(r, sector);

	if (g == NO_GUEST)
		return V_META;
	return r->no_model ? V_ZERO : model_value(&r->model, g, data);
}

static void load_values(struct replay *r)
{
	uint32_t sectors = r->top[0].size / SECTOR;
	unsigned int i;
	uint64_t s;
	uint32_t g;

	r->value = xalloc(r->sectors * sizeof(*r->value));
	r->fua = xalloc(r->sectors * sizeof(*r->fua));
	for (s = 0; s < r->sectors; s++)
		r->value[s] = value_at(r, s, r->disk + s * SECTOR);
	for (i = 0; i < r->n_below && !r->no_model; i++) {
		struct below *b = &r->below[i];

		if (b->slice) {
			b->value = r->value + b->slice->start;
			continue;
		}
		b->value = xalloc(sectors * sizeof(*b->value));
		for (g = 0; g < sectors; g++)
			b->value[g] = b->data ? model_value(&r->model, g, b->data +
							    (size_t)g * SECTOR) : V_ZERO;
	}
}

/* Writes to places that must never be written are found at once, not only by their effect. */
static void check_entry(struct replay *r, const struct entry *e, uint32_t n)
{
	const struct slice *s = &r->slice[e->slice];
	const char *bad = NULL;
	unsigned int i;
	uint32_t k;

	for (i = 0; i < r->n_tops; i++)
		for (k = 0; r->top[i].meta == s && k < e->sectors && !bad; k++)
			bad = top_may_write(&r->top[i], e->sector - s->start + k);
	for (k = 0; e->kind == E_DISCARD && k < e->sectors && !bad; k++)
		if (guest_at(r, e->sector + k) == NO_GUEST)
			bad = "metadata, by a discard";
	if (!bad)
		return;
	printf("# FAILED: entry %u: %s, sector %" PRIu64 ": %s\n", n, s->file,
	       e->sector - s->start, bad);
	r->bad++;
}

static void load_entries(struct replay *r)
{
	uint32_t i, k;

	for (i = 0; i < r->log.n; i++) {
		struct entry *e = &r->log.e[i];

		if (e->kind != E_WRITE && e->kind != E_DISCARD)
			continue;
		check_entry(r, e, i);
		if (e->kind == E_DISCARD)
			continue;
		e->value = xalloc(e->sectors * sizeof(*e->value));
		for (k = 0; k < e->sectors; k++)
			e->value[k] = value_at(r, e->sector + k, e->data + (size_t)k * SECTOR);
	}
	r->pending = xalloc((r->log.n + 1) * sizeof(*r->pending));
}

/* What is below the first top before the run; it may be written. */
static const uint8_t *initial_disk(const struct replay *r)
{
	const struct below *b = &r->below[0];
	uint8_t *copy;

	if (!b->slice)
		return b->data;
	copy = xalloc(r->top[0].size);
	memcpy(copy, b->data, r->top[0].size);
	return copy;
}

void state_load(struct replay *r, const char *dir)
{
	char path[640];
	uint64_t size = 0;

	snprintf(r->dir, sizeof(r->dir), "%s", dir);
	r->disk = map_file(r, "first.img", &size);
	r->sectors = size / SECTOR;
	read_layout(r);
	snprintf(path, sizeof(path), "%s/record", dir);
	model_load(&r->model, path, initial_disk(r), r->top[0].size / SECTOR);
	snprintf(path, sizeof(path), "%s/log.img", dir);
	log_read(&r->log, path, r->slice, r->n_slices);
	snprintf(path, sizeof(path), "%s/trace", dir);
	trace_attribute(&r->log, path, r->slice, r->n_slices);
	load_values(r);
	load_entries(r);
}

/* ---- changes ---- */

static void note_undo(struct replay *r, uint64_t sector)
{
	struct undo *u;

	if (r->n_undo == r->max_undo) {
		r->max_undo = 2 * r->max_undo + 1024;
		r->undo = realloc(r->undo, r->max_undo * sizeof(*r->undo));
		if (!r->undo)
			die("out of memory");
	}
	u = &r->undo[r->n_undo++];
	u->sector = sector;
	u->value = r->value[sector];
	memcpy(u->data, r->disk + sector * SECTOR, SECTOR);
}

/*
 * dm-log-writes logs a FUA write when it ends, but other writes only with the flush that follows.
 * So a write that had ended before a FUA write comes after it in the log. The contents of the
 * sectors show the true order.
 */
static bool overtaken(const struct replay *r, const struct entry *e, uint32_t k)
{
	uint64_t sector = e->sector + k;

	return !e->fua && r->fua[sector] && r->flushes < r->fua[sector] + 2 &&
	       guest_at(r, sector) != NO_GUEST &&
	       !model_newer(&r->model, guest_at(r, sector), e->value[k], r->value[sector]);
}

/* ---- discards of an external data file ---- */

/*
 * A stream without a base makes an external data file a raw disk. While it runs, and after it,
 * discards of that file are read: the device that is logged has zeros there, or others would have
 * been written. Nothing else may rely on that.
 */
static bool is_raw_soon(const struct replay *r)
{
	int i = model_message(&r->model, "stream");

	return i >= 0 && r->begun[i] && !*r->final && r->top[r->job_top].data;
}

static bool reads_discards(const struct replay *r, const struct entry *e)
{
	return is_raw_soon(r) && r->top[r->job_top].data == &r->slice[e->slice];
}

/* The stream finds zeros also where something was discarded before it began. */
void state_begun(struct replay *r)
{
	const struct slice *s = r->top[r->job_top].data;
	uint64_t sector;

	if (!is_raw_soon(r))
		return;
	for (sector = s->start; sector < s->start + s->sectors; sector++) {
		if (r->value[sector] != V_TRASH)
			continue;
		r->value[sector] = V_ZERO;
		memset(r->disk + sector * SECTOR, 0, SECTOR);
	}
}

static void apply_sector(struct replay *r, const struct entry *e, uint32_t k)
{
	uint64_t sector = e->sector + k;
	uint8_t *p = r->disk + sector * SECTOR;

	if (e->kind == E_WRITE && overtaken(r, e, k))
		return;
	if (r->trying)
		note_undo(r, sector);
	else
		r->fua[sector] = e->fua ? r->flushes + 1 : 0;
	if (e->kind == E_DISCARD) {
		bool zero = reads_discards(r, e);

		memset(p, zero ? 0 : 0xdc, SECTOR);
		r->value[sector] = zero ? V_ZERO : V_TRASH;
	} else {
		memcpy(p, e->data + (size_t)k * SECTOR, SECTOR);
		r->value[sector] = e->value[k];
	}
}

void state_apply(struct replay *r, const struct entry *e, bool torn)
{
	uint32_t k;

	for (k = 0; k < e->sectors; k++)
		if (!torn || rng_below(&r->rng, 2))
			apply_sector(r, e, k);
}

void state_try(struct replay *r)
{
	r->trying = true;
	r->n_undo = 0;
}

void state_undo(struct replay *r)
{
	while (r->n_undo) {
		const struct undo *u = &r->undo[--r->n_undo];

		r->value[u->sector] = u->value;
		memcpy(r->disk + u->sector * SECTOR, u->data, SECTOR);
	}
	r->trying = false;
}
