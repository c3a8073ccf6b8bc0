// SPDX-License-Identifier: GPL-2.0-only
/*
 * chainstress: what qemu-img will be told about the layers. It looks at them when the run has ended,
 * and by then commits may have changed layers below.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "claims.h"
#include "qimg.h"

static char *copy_of(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		die("out of memory");
	return copy;
}

static bool is_raw(const char *file)
{
	size_t n = strlen(file);

	return n > 4 && !strcmp(file + n - 4, ".raw");
}

static bool same_file(const char *a, const char *b)
{
	return !strcmp(chain_leaf(a), chain_leaf(b));
}

static void drop(struct claims *l, unsigned int i)
{
	memmove(&l->c[i], &l->c[i + 1], (l->n - i - 1) * sizeof(l->c[0]));
	l->n--;
}

void claim(struct claims *l, const char *file, const char *model)
{
	if (l->n == MAX_CLAIMS)
		die("too many claims");
	l->c[l->n].file = copy_of(file);
	l->c[l->n++].model = copy_of(model);
}

/* The path of the backing file of @file, which lies in the same directory; "" if there is none. */
static void path_below(const char *file, char *below, size_t len)
{
	int dir = chain_leaf(file) - file;
	struct qimg q;

	qimg_open(&q, file, false);
	if (*qimg_backing(&q))
		snprintf(below, len, "%.*s%s", dir, file, qimg_backing(&q));
	else
		*below = 0;
	qimg_close(&q);
}

/* Is the base below @file, by the headers, without @top in between? */
static bool is_changed(const char *file, const char *base, const char *top)
{
	char at[512], next[512];

	snprintf(at, sizeof(at), "%s", file);
	for (;;) {
		if (!*at || same_file(at, top))
			return false;
		if (same_file(at, base))
			return true;
		if (is_raw(at))
			return false;
		path_below(at, next, sizeof(next));
		memcpy(at, next, sizeof(at));
	}
}

void claims_begin_commit(struct claims *l, const char *base, const char *top)
{
	unsigned int i = 0;

	while (i < l->n) {
		if (is_changed(l->c[i].file, base, top))
			drop(l, i);
		else
			i++;
	}
}

void claims_end_commit(struct claims *l, const char *base, const char *top)
{
	unsigned int i;

	for (i = 0; i < l->n; i++) {
		if (!same_file(l->c[i].file, top))
			continue;
		claim(l, base, l->c[i].model);
		return;
	}
}

void claims_write(const struct claims *l, const char *path)
{
	FILE *f = fopen(path, "a");
	unsigned int i;

	if (!f)
		die("%s: %s", path, strerror(errno));
	for (i = 0; i < l->n; i++) {
		const char *name = chain_leaf(l->c[i].file);

		if (is_raw(name))
			fprintf(f, "identical %s %s\n", name, l->c[i].model);
		else
			fprintf(f, "check %s\ncompare %s %s\n", name, name, l->c[i].model);
	}
	if (fclose(f))
		die("%s: cannot write", path);
}
