// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultwalk: what the disk may hold.
 */
#include <stdio.h>
#include <string.h>

#include "model.h"

static void values_set(struct values *s, uint16_t value)
{
	s->v[0] = value;
	s->n = 1;
}

static void values_add(struct values *s, uint16_t value)
{
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (s->v[i] == value)
			return;
	if (s->n == MAX_VALUES)
		die("a scenario writes too often to one place without a flush");
	s->v[s->n++] = value;
}

void fmodel_reset(struct model *m)
{
	uint32_t i;

	m->seq = 0;
	for (i = 0; i < m->sectors; i++) {
		values_set(&m->live[i], VALUE_INITIAL);
		values_set(&m->stable[i], VALUE_INITIAL);
	}
}

void fmodel_write(struct model *m, uint32_t sector, uint32_t n, uint16_t value, bool done)
{
	uint32_t i;

	for (i = sector; i < sector + n; i++) {
		if (done)
			values_set(&m->live[i], value);
		else
			values_add(&m->live[i], value);
		values_add(&m->stable[i], value);
	}
}

void fmodel_flush(struct model *m, uint32_t sector, uint32_t n)
{
	memcpy(m->stable + sector, m->live + sector, n * sizeof(*m->live));
}

void fmodel_lose(struct model *m)
{
	memcpy(m->live, m->stable, m->sectors * sizeof(*m->live));
}

static bool value_match(const struct model *m, uint16_t value, uint32_t sector, const void *buf)
{
	uint64_t seq;

	if (value == VALUE_INITIAL)
		return !memcmp(buf, m->initial + (size_t)sector * SECTOR, SECTOR);
	if (value == VALUE_ZERO)
		return is_zero(buf, SECTOR);
	return sector_decode(buf, m->seed, sector, &seq) && seq == value;
}

static void describe(const struct model *m, uint32_t sector, const void *buf, char *text,
		     size_t len)
{
	uint64_t seq;

	if (value_match(m, VALUE_INITIAL, sector, buf))
		snprintf(text, len, "the initial contents");
	else if (is_zero(buf, SECTOR))
		snprintf(text, len, "zeros");
	else if (sector_decode(buf, m->seed, sector, &seq))
		snprintf(text, len, "operation %llu", (unsigned long long)seq);
	else
		snprintf(text, len, "something strange");
}

static void differs(const struct model *m, uint32_t sector, const void *buf, const char *what)
{
	const struct values *s = &m->live[sector];
	char text[64];
	unsigned int i;

	describe(m, sector, buf, text, sizeof(text));
	fprintf(stderr, "# %s: sector %u holds %s instead of operation", what, sector, text);
	for (i = 0; i < s->n; i++)
		fprintf(stderr, " %u", s->v[i]);
	fputs(" (0: initial, 65535: zeros)\n", stderr);
}

bool fmodel_read(struct model *m, uint32_t sector, uint32_t n, const void *buf, const char *what)
{
	unsigned int bad = 0;
	uint32_t i, k;

	for (i = 0; i < n && bad < 4; i++) {
		const uint8_t *p = (const uint8_t *)buf + (size_t)i * SECTOR;
		struct values *s = &m->live[sector + i];

		for (k = 0; k < s->n; k++)
			if (value_match(m, s->v[k], sector + i, p))
				break;
		if (k < s->n) {
			values_set(s, s->v[k]);
			continue;
		}
		differs(m, sector + i, p, what);
		bad++;
	}
	return !bad;
}

void fmodel_freeze(struct model *m)
{
	memcpy(m->frozen, m->live, m->sectors * sizeof(*m->live));
}

bool fmodel_read_frozen(struct model *m, const void *buf, const char *what)
{
	struct model then = *m;

	then.live = m->frozen;
	return fmodel_read(&then, 0, m->sectors, buf, what);
}
