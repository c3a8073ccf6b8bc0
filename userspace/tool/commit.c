// SPDX-License-Identifier: GPL-2.0-only
/*
 * Starts a commit: the devices of its base that can be written, and the message.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base.h"
#include "commit.h"
#include "dm.h"
#include "hold.h"
#include "util.h"
#include "writable.h"

static int send(const struct live *live, unsigned int base, unsigned int last, bool keep,
		const struct job_args *args, const struct writable *writable)
{
	bool active = last == live_top(live);
	/* No header names another layer when the base becomes the top. */
	char *name = active ? NULL : base_stored_name(live, (int)base, live_top(live));
	char last_text[16], base_text[16], speed[JOB_SPEED_LEN];
	const char *words[12 + JOB_MAX_WORDS + 1] = { "commit", "top", last_text, "base", base_text };
	unsigned int n = 5;
	int ret;

	if (!name && !active)
		return -1;
	snprintf(last_text, sizeof(last_text), "%u", last);
	snprintf(base_text, sizeof(base_text), "%u", base);
	n += writable_words(writable, words + n);
	n += job_add_words(args, words + n, speed);
	if (keep)
		words[n++] = "keep";
	if (!active) {
		words[n++] = "backing-file";
		words[n++] = name;
		words[n++] = kind_name(live->table.layers[base].kind);
	}
	ret = dm_message(live->dev.name, words);
	free(name);
	return ret ? -1 : 0;
}

int commit_start(const struct live *live, unsigned int base, unsigned int last, bool keep,
		 const struct job_args *args)
{
	struct writable writable;
	int ret;

	hold_begin();
	ret = writable_open(&live->table.layers[base], &writable);
	if (!ret && hold_interrupted())
		ret = -1;
	if (!ret)
		ret = send(live, base, last, keep, args, &writable);
	writable_close(&writable);
	hold_end();
	return ret;
}
