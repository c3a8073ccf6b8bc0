// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parses and formats the texts of the cowchain target.
 */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "target.h"
#include "util.h"

static const char *const kind_names[] = {
	[KIND_RAW] = "raw",
	[KIND_QCOW2] = "qcow2",
};

const char *kind_name(enum layer_kind kind)
{
	return kind_names[kind];
}

int kind_parse(const char *word, enum layer_kind *kind)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kind_names); i++) {
		if (!strcmp(word, kind_names[i])) {
			*kind = (enum layer_kind)i;
			return 0;
		}
	}
	return -1;
}

/* A position in the words of a line. */
struct words {
	char *copy;
	char *save;
	bool failed;
};

static void words_init(struct words *w, const char *text)
{
	w->copy = xstrdup(text);
	w->save = w->copy;
	w->failed = false;
}

/* The next word, or NULL with failed set: a caller may take several words and check once. */
static const char *next_word(struct words *w)
{
	const char *word = strtok_r(NULL, " \t\n", &w->save);

	if (!word)
		w->failed = true;
	return word;
}

static uint64_t next_number(struct words *w, uint64_t max)
{
	const char *word = next_word(w);
	uint64_t v = 0;

	if (word && (parse_u64(word, &v) || v > max))
		w->failed = true;
	return w->failed ? 0 : v;
}

static void next_string(struct words *w, char *buf, size_t size)
{
	const char *word = next_word(w);

	if (!word)
		return;
	if (strlen(word) >= size) {
		w->failed = true;
		return;
	}
	strcpy(buf, word);
}

static void parse_layer(struct words *w, struct table_layer *layer)
{
	const char *word = next_word(w);

	if (!word || kind_parse(word, &layer->kind)) {
		w->failed = true;
		return;
	}
	word = next_word(w);
	if (word)
		layer->dev = xstrdup(word);
	word = next_word(w);
	if (word && strcmp(word, "-"))
		layer->data = xstrdup(word);
}

int table_parse(const char *params, struct table *table)
{
	struct words w;
	const char *word;
	unsigned int i, nr;

	memset(table, 0, sizeof(*table));
	words_init(&w, params);
	nr = (unsigned int)next_number(&w, TARGET_MAX_WORDS);
	table->features = xcalloc(nr + 1, sizeof(*table->features));
	for (i = 0; i < nr; i++) {
		word = next_word(&w);
		if (!word)
			break;
		table->features[table->nr_features++] = xstrdup(word);
	}
	nr = (unsigned int)next_number(&w, TARGET_MAX_LAYERS);
	table->layers = xcalloc(nr + 1, sizeof(*table->layers));
	while (!w.failed && table->nr_layers < nr)
		parse_layer(&w, &table->layers[table->nr_layers++]);
	free(w.copy);
	if (!w.failed && table->nr_layers)
		return 0;
	table_free(table);
	return -1;
}

char *table_format(const struct table *table)
{
	struct strbuf sb = { 0 };
	unsigned int i;

	strbuf_addf(&sb, "%u", table->nr_features);
	for (i = 0; i < table->nr_features; i++)
		strbuf_addf(&sb, " %s", table->features[i]);
	strbuf_addf(&sb, " %u", table->nr_layers);
	for (i = 0; i < table->nr_layers; i++) {
		const struct table_layer *l = &table->layers[i];

		strbuf_addf(&sb, " %s %s %s", kind_name(l->kind), l->dev, l->data ? l->data : "-");
	}
	return sb.text;
}

void table_add_feature(struct table *table, char *word)
{
	table->features = xrealloc(table->features, table->nr_features + 1, sizeof(*table->features));
	table->features[table->nr_features++] = word;
}

bool table_has_feature(const struct table *table, const char *word)
{
	unsigned int i;

	for (i = 0; i < table->nr_features; i++)
		if (!strcmp(table->features[i], word))
			return true;
	return false;
}

void table_free(struct table *table)
{
	unsigned int i;

	for (i = 0; i < table->nr_features; i++)
		free(table->features[i]);
	for (i = 0; i < table->nr_layers; i++) {
		free(table->layers[i].dev);
		free(table->layers[i].data);
	}
	free(table->features);
	free(table->layers);
	memset(table, 0, sizeof(*table));
}

/* A number, or "-" for one that the kernel does not know yet (*out is 0 then). */
static bool parse_maybe(struct words *w, const char *word, uint64_t *out)
{
	*out = 0;
	if (!strcmp(word, "-"))
		return false;
	if (parse_u64(word, out))
		w->failed = true;
	return true;
}

/*
 * "<subcluster sectors> <allocated>/<total>". The kernel prints "-" for what is allocated while it
 * counts, and for everything before the first resume.
 */
static void parse_allocation(struct words *w, struct target_status *st)
{
	const char *word = next_word(w);
	char *counts, *slash;

	if (word)
		parse_maybe(w, word, &st->subcluster);
	if (st->subcluster > UINT32_MAX)
		w->failed = true;
	st->subcluster *= SECTOR_SIZE;
	counts = (char *)next_word(w);
	slash = counts ? strchr(counts, '/') : NULL;
	if (!slash) {
		w->failed = true;
		return;
	}
	*slash = '\0';
	st->counted = parse_maybe(w, counts, &st->allocated);
	parse_maybe(w, slash + 1, &st->total);
}

/* words: how many the job has; an older module has fewer. */
static void parse_job(struct words *w, uint64_t words, struct target_job *job)
{
	const char *base, *word;
	uint64_t v;

	job->present = true;
	next_string(w, job->type, sizeof(job->type));
	next_string(w, job->state, sizeof(job->state));
	base = next_word(w);
	job->base = -1;
	if (base && strcmp(base, "-")) {
		if (parse_u64(base, &v) || v >= TARGET_MAX_LAYERS)
			w->failed = true;
		else
			job->base = (int)v;
	}
	job->offset = next_number(w, UINT64_MAX);
	job->len = next_number(w, UINT64_MAX);
	job->speed = next_number(w, UINT64_MAX);
	next_string(w, job->io_status, sizeof(job->io_status));
	job->error = (int)next_number(w, INT_MAX);
	word = words >= 9 ? next_word(w) : NULL;
	if (word)
		job->verify = parse_maybe(w, word, &job->verified);
	job->top = words >= 10 ? (int)next_number(w, TARGET_MAX_LAYERS - 1) : -1;
}

int status_parse(const char *text, struct target_status *st)
{
	struct words w;
	uint64_t job_words;

	memset(st, 0, sizeof(*st));
	words_init(&w, text);
	next_string(&w, st->mode, sizeof(st->mode));
	st->nr_layers = (unsigned int)next_number(&w, TARGET_MAX_LAYERS);
	parse_allocation(&w, st);
	job_words = next_number(&w, 64);
	if (!w.failed && job_words >= 8)
		parse_job(&w, job_words, &st->job);
	else if (job_words)
		w.failed = true;
	free(w.copy);
	return w.failed ? -1 : 0;
}

bool job_concluded(const struct target_job *job)
{
	return !strcmp(job->state, "concluded");
}

bool job_stopped_by_error(const struct target_job *job)
{
	return !strcmp(job->state, "paused") && strcmp(job->io_status, "ok");
}

double job_percent(const struct target_job *job)
{
	if (!job->len)
		return 100;
	return 100.0 * (double)job->offset / (double)job->len;
}

/*
 * Device-mapper splits at what isspace() of the kernel takes for a blank. In Latin-1 that includes
 * the no-break space, a byte of many UTF-8 characters. A backslash quotes any byte, so quote all
 * bytes beyond ASCII.
 */
static bool needs_quote(char c)
{
	return c == '\\' || isspace((unsigned char)c) || !isascii((unsigned char)c);
}

char *message_join(const char *const *words)
{
	struct strbuf sb = { 0 };
	const char *p;

	for (; *words; words++) {
		if (sb.len)
			strbuf_add(&sb, " ");
		for (p = *words; *p; p++) {
			if (needs_quote(*p))
				strbuf_add(&sb, "\\");
			strbuf_addf(&sb, "%c", *p);
		}
	}
	return sb.text ? sb.text : xstrdup("");
}
