// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a verb has done, as an object of JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "result.h"
#include "util.h"

static struct {
	bool wanted;
	struct json json;	/* the keys, in an object of their own */
	char **messages;
	bool *errors;		/* which of them are errors */
	size_t nr_messages;
} result;

static void collect(bool error, const char *text)
{
	result.messages = xrealloc(result.messages, result.nr_messages + 1, sizeof(*result.messages));
	result.errors = xrealloc(result.errors, result.nr_messages + 1, sizeof(*result.errors));
	result.messages[result.nr_messages] = xstrdup(text);
	result.errors[result.nr_messages++] = error;
}

void result_begin(void)
{
	if (result.wanted)
		return;
	result.wanted = true;
	json_object(&result.json, NULL);
	cc_on_message(collect);
}

bool result_wanted(void)
{
	return result.wanted;
}

struct json *result_json(void)
{
	return result.wanted ? &result.json : NULL;
}

void result_text(const char *key, const char *text)
{
	if (result.wanted)
		json_text(&result.json, key, text);
}

void result_number(const char *key, uint64_t number)
{
	if (result.wanted)
		json_number(&result.json, key, number);
}

void result_bool(const char *key, bool b)
{
	if (result.wanted)
		json_bool(&result.json, key, b);
}

static void add_messages(struct json *json)
{
	size_t i;

	json_array(json, "messages");
	for (i = 0; i < result.nr_messages; i++) {
		json_object(json, NULL);
		json_text(json, "kind", result.errors[i] ? "error" : "note");
		json_text(json, "text", result.messages[i]);
		json_end(json);
		free(result.messages[i]);
	}
	json_end(json);
	free(result.messages);
	free(result.errors);
}

void result_print(const char *verb, int status)
{
	cc_on_message(NULL);
	json_text(&result.json, "verb", verb);
	json_number(&result.json, "status", (uint64_t)status);
	add_messages(&result.json);
	json_end(&result.json);
	json_print(&result.json);
	memset(&result, 0, sizeof(result));
}
