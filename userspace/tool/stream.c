// SPDX-License-Identifier: GPL-2.0-only
/*
 * Starts a stream into a layer below the top: its devices that can be written, and the message.
 */
#include <stdio.h>

#include "dm.h"
#include "hold.h"
#include "stream.h"
#include "writable.h"

static int send(const struct live *live, unsigned int top, int base, const char *name, const char *format,
		const struct job_args *args, const struct writable *writable)
{
	char top_text[16], base_text[16], speed[JOB_SPEED_LEN];
	const char *words[8 + WRITABLE_MAX_WORDS + JOB_MAX_WORDS + 1] = {
		"stream", "top", top_text, "base", base < 0 ? "none" : base_text,
	};
	unsigned int n = 5;

	snprintf(top_text, sizeof(top_text), "%u", top);
	snprintf(base_text, sizeof(base_text), "%d", base);
	n += writable_words(writable, words + n);
	n += job_add_words(args, words + n, speed);
	if (name) {
		words[n++] = "backing-file";
		words[n++] = name;
		words[n++] = format;
	}
	return dm_message(live->dev.name, words) ? -1 : 0;
}

int stream_lower(const struct live *live, unsigned int top, int base, const char *name, const char *format,
		 const struct job_args *args)
{
	struct writable writable;
	int ret;

	hold_begin();
	ret = writable_open(&live->table.layers[top], 0, &writable);
	if (!ret && hold_interrupted())
		ret = -1;
	if (!ret)
		ret = send(live, top, base, name, format, args, &writable);
	writable_close(&writable);
	hold_end();
	return ret;
}
