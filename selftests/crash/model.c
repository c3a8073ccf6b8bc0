// SPDX-License-Identifier: GPL-2.0-only
/*
 * crashreplay: what the writers did, from the record of chainstress, and what of it has to be on
 * disk.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

static bool zeroes(const struct cop *op)
{
	return op->kind == 'z' || op->kind == 'd';
}

static bool covers(const struct cop *op, uint32_t g)
{
	return g >= op->sector && g - op->sector < op->sectors;
}

static void add_op(struct model *m, uint32_t id, const struct cop *op)
{
	if (id >= m->n_ops) {
		uint32_t n = 2 * id + 64;

		m->op = realloc(m->op, n * sizeof(*m->op));
		if (!m->op)
			die("out of memory");
		memset(m->op + m->n_ops, 0, (n - m->n_ops) * sizeof(*m->op));
		m->n_ops = n;
	}
	m->op[id] = *op;
}

static void add_mark(struct model *m, uint64_t n, uint64_t tick)
{
	if (n != m->n_marks)
		die("the marks are not in order");
	m->mark_tick = realloc(m->mark_tick, ++m->n_marks * sizeof(*m->mark_tick));
	if (!m->mark_tick)
		die("out of memory");
	m->mark_tick[n] = tick;
}

static void parse_line(struct model *m, const char *line)
{
	unsigned int id, len;
	uint64_t n, tick;
	struct cop op;

	if (sscanf(line, "seed %" SCNu64, &m->seed) == 1)
		return;
	if (sscanf(line, "mark %" SCNu64 " %" SCNu64, &n, &tick) == 2) {
		add_mark(m, n, tick);
	} else if (sscanf(line, "message %u", &id) == 1) {
		line = strchr(strchr(line, ' ') + 1, ' ') + 1;
		len = strcspn(line, "\n");
		if (id != m->n_messages || id == ARRAY_SIZE(m->message) ||
		    len >= sizeof(m->message[0]))
			die("unusable message in the record: %s", line);
		memcpy(m->message[m->n_messages++], line, len);
	} else if (sscanf(line, "op %u %c %u %u %" SCNu64 " %" SCNu64, &id, &op.kind, &op.sector,
			  &op.sectors, &op.submit, &op.ack) == 6) {
		add_op(m, id, &op);
	} else {
		die("unusable line in the record: %s", line);
	}
}

static const struct model *sorted;

static int by_ack(const void *a, const void *b)
{
	uint64_t x = sorted->op[*(const uint32_t *)a].ack;
	uint64_t y = sorted->op[*(const uint32_t *)b].ack;

	return x < y ? -1 : x > y;
}

void model_load(struct model *m, const char *record, const uint8_t *initial, uint32_t sectors)
{
	FILE *f = fopen(record, "r");
	char line[512];
	uint32_t id;

	if (!f)
		die("%s: %s", record, strerror(errno));
	while (fgets(line, sizeof(line), f))
		parse_line(m, line);
	fclose(f);
	m->initial = initial;
	m->sectors = sectors;
	m->floor = xalloc(sectors * sizeof(*m->floor));
	m->by_ack = xalloc((m->n_ops + 1) * sizeof(*m->by_ack));
	for (id = 1; id < m->n_ops; id++) {
		struct cop *op = &m->op[id];

		if (op->kind && (op->sector > sectors || op->sectors > sectors - op->sector))
			die("operation %u lies beyond the disk", id);
		if (op->kind && op->kind != 'f' && op->ack)
			m->by_ack[m->n_acked++] = id;
	}
	sorted = m;
	qsort(m->by_ack, m->n_acked, sizeof(*m->by_ack), by_ack);
}

int model_message(const struct model *m, const char *prefix)
{
	unsigned int i;

	for (i = 0; i < m->n_messages; i++)
		if (!strncmp(m->message[i], prefix, strlen(prefix)))
			return i;
	return -1;
}

bool model_takes_snapshot(const struct model *m, unsigned int i)
{
	return !strncmp(m->message[i], "snapshot ", 9) || !strncmp(m->message[i], "snapshot-commit", 15);
}

unsigned int model_snapshots(const struct model *m)
{
	unsigned int i, n = 0;

	for (i = 0; i < m->n_messages; i++)
		n += model_takes_snapshot(m, i);
	return n;
}

uint32_t model_value(const struct model *m, uint32_t g, const void *data)
{
	uint64_t id;

	if (is_zero(data, SECTOR))
		return V_ZERO;
	if (g < m->sectors && !memcmp(data, m->initial + (size_t)g * SECTOR, SECTOR))
		return V_INIT;
	if (!sector_decode(data, m->seed, g, &id) || !id || id >= m->n_ops ||
	    (m->op[id].kind != 'w' && m->op[id].kind != 'u') || !covers(&m->op[id], g))
		return V_BAD;
	return id;
}

/* Only one writer uses a sector, so the highest number is the last operation. */
static void raise_floor(struct model *m, uint32_t id)
{
	const struct cop *op = &m->op[id];
	uint32_t g;

	for (g = op->sector; g < op->sector + op->sectors; g++)
		if (m->floor[g] < id)
			m->floor[g] = id;
}

void model_floor(struct model *m, const struct entry *mark)
{
	if (mark->mark == 'u')
		raise_floor(m, mark->a);
	if (mark->mark != 'f')
		return;
	while (m->next_acked < m->n_acked && m->op[m->by_ack[m->next_acked]].ack < mark->a)
		raise_floor(m, m->by_ack[m->next_acked++]);
}

/* Is there an operation younger than @than that left zeros here and was submitted by now? */
static bool zeroed_since(const struct model *m, uint32_t g, uint32_t than)
{
	uint32_t id;

	for (id = than + 1; id < m->n_ops; id++)
		if (zeroes(&m->op[id]) && covers(&m->op[id], g) && m->op[id].submit < m->upper)
			return true;
	return false;
}

const char *model_check(const struct model *m, uint32_t g, uint32_t value)
{
	uint32_t must = m->floor[g];

	switch (value) {
	case V_BAD:
		return "contents that were never written there";
	case V_TRASH:
		return "what a discard left";
	case V_META:
		return "metadata";
	case V_INIT:
		return must ? "what was there before the run" : NULL;
	case V_ZERO:
		if (must ? zeroes(&m->op[must]) : is_zero(m->initial + (size_t)g * SECTOR, SECTOR))
			return NULL;
		return zeroed_since(m, g, must) ? NULL : "zeros";
	}
	return value < must ? "an older write" : NULL;
}

bool model_newer(const struct model *m, uint32_t g, uint32_t newer, uint32_t than)
{
	if (newer == V_ZERO)
		return than > V_OPS || zeroed_since(m, g, than);
	if (newer > V_OPS || than > V_OPS)
		return true;
	return newer >= than;
}
