// SPDX-License-Identifier: GPL-2.0-only
/*
 * chainstress: the chain as the table of the target describes it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "common.h"
#include "dm.h"
#include "report.h"

void chain_loop_file(const char *dev, char *file, size_t len)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/dev/block/%s/loop/backing_file", dev);
	*file = 0;
	f = fopen(path, "r");
	if (!f)
		return;
	if (!fgets(file, len, f))
		*file = 0;
	file[strcspn(file, "\n")] = 0;
	fclose(f);
}

const char *chain_leaf(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash ? slash + 1 : file;
}

static bool get_word(char **p, char *word, size_t len)
{
	char *w = strsep(p, " ");

	return w && snprintf(word, len, "%s", w) < (int)len;
}

static bool parse_chain(struct chain *c, char *params)
{
	unsigned int features;
	char word[32];
	unsigned int i;

	if (!get_word(&params, word, sizeof(word)))
		return false;
	for (features = atoi(word); features; features--)
		if (!get_word(&params, word, sizeof(word)))
			return false;
	if (!get_word(&params, word, sizeof(word)))
		return false;
	c->n = atoi(word);
	if (!c->n || c->n > MAX_LAYERS)
		return false;
	for (i = 0; i < c->n; i++) {
		struct layer *l = &c->l[i];

		if (!get_word(&params, l->kind, sizeof(l->kind)) ||
		    !get_word(&params, l->dev, sizeof(l->dev)) ||
		    !get_word(&params, l->data, sizeof(l->data)))
			return false;
		chain_loop_file(l->dev, l->file, sizeof(l->file));
	}
	return !params || !*params;
}

bool chain_read(struct stress *s, struct chain *c)
{
	char params[CHAIN_TABLE_LEN];
	int err = dm_table(s->name, params, sizeof(params), &c->sectors);

	if (err) {
		stress_fail(s, "table: %s", strerror(err));
		return false;
	}
	if (!parse_chain(c, params)) {
		stress_fail(s, "unexpected table");
		return false;
	}
	return true;
}

void chain_print(const struct chain *c, unsigned int n, char *params, size_t len)
{
	size_t pos = snprintf(params, len, "0 %u", n);
	unsigned int i;

	for (i = 0; i < n && pos < len; i++)
		pos += snprintf(params + pos, len - pos, " %s %s %s", c->l[i].kind, c->l[i].dev,
				c->l[i].data);
	if (pos >= len)
		die("table too long");
}
