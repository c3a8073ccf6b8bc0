// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds and selects the layer that a job leaves below the top.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "dm.h"
#include "number.h"
#include "path.h"
#include "util.h"

int base_find(const struct live *live, const char *arg)
{
	int layer;

	if (!strcmp(arg, "none"))
		return BASE_NONE;
	layer = live_find(live, arg);
	return layer < 0 ? BASE_ERROR : layer;
}

int base_select(const struct live *live, int layer)
{
	char number[16];
	const char *words[] = { "base", "none", NULL };

	snprintf(number, sizeof(number), "%d", layer);
	if (layer >= 0)
		words[1] = number;
	return dm_message(live->dev.name, words);
}

int base_selected(const struct live *live)
{
	static const char *const words[] = { "base", NULL };
	char *answer = dm_ask(live->dev.name, words);
	uint64_t layer;
	int ret = BASE_NONE;

	if (answer && !parse_u64(answer, &layer) && layer < live->table.nr_layers)
		ret = (int)layer;
	free(answer);
	return ret;
}

char *base_stored_name(const struct live *live, int layer, unsigned int in)
{
	char *base = live_file_needed(live, (unsigned int)layer);
	char *top = base ? live_lasting_file(live, in) : NULL;
	char *dir, *name;

	/* Where the directory of that layer is unknown, an absolute name is always right. */
	if (!top)
		return base;
	dir = path_dir(top);
	name = path_stored_name(dir, base);
	free(dir);
	free(top);
	free(base);
	return name;
}
