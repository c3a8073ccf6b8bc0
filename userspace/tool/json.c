// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes JSON.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "safe-text.h"

#define INDENT 3

static void add_line(struct json *json)
{
	if (json->one_line)
		return;
	strbuf_addf(&json->out, "\n%*s", (int)(INDENT * json->depth), "");
}

/* What stands before a value. */
static void add_key(struct json *json, const char *key)
{
	if (json->follows)
		strbuf_add(&json->out, ",");
	if (json->depth)
		add_line(json);
	if (key)
		strbuf_addf(&json->out, "\"%s\": ", key);
	json->follows = true;
}

static void begin(struct json *json, const char *key, const char *with, char end)
{
	assert(json->depth < JSON_DEPTH);
	add_key(json, key);
	strbuf_add(&json->out, with);
	json->open[json->depth++] = end;
	json->follows = false;
}

void json_object(struct json *json, const char *key)
{
	begin(json, key, "{", '}');
}

void json_array(struct json *json, const char *key)
{
	begin(json, key, "[", ']');
}

void json_end(struct json *json)
{
	assert(json->depth);
	json->depth--;
	if (json->follows)
		add_line(json);
	strbuf_addf(&json->out, "%c", json->open[json->depth]);
	json->follows = true;
}

/* What JSON itself demands. The rest is done by safe_json(). */
static char *quote(const char *text)
{
	struct strbuf sb = { 0 };

	strbuf_add(&sb, "\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			strbuf_addf(&sb, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			strbuf_addf(&sb, "\\u%04x", (unsigned char)*text);
		else
			strbuf_addf(&sb, "%c", *text);
	}
	strbuf_add(&sb, "\"");
	return sb.text;
}

static char *quote_safely(const char *text)
{
	char *utf8 = xcalloc(SAFE_UTF8_ROOM(strlen(text)), 1), *quoted, *safe;

	safe_utf8(utf8, text);
	quoted = quote(utf8);
	safe = xcalloc(SAFE_JSON_ROOM(strlen(quoted)), 1);
	safe_json(safe, quoted);
	free(quoted);
	free(utf8);
	return safe;
}

void json_text(struct json *json, const char *key, const char *text)
{
	char *safe;

	if (!text) {
		json_null(json, key);
		return;
	}
	safe = quote_safely(text);
	add_key(json, key);
	strbuf_add(&json->out, safe);
	free(safe);
}

void json_number(struct json *json, const char *key, uint64_t number)
{
	add_key(json, key);
	strbuf_addf(&json->out, "%" PRIu64, number);
}

void json_fraction(struct json *json, const char *key, uint64_t thousandths)
{
	add_key(json, key);
	strbuf_addf(&json->out, "%" PRIu64 ".%03u", thousandths / 1000, (unsigned int)(thousandths % 1000));
}

void json_bool(struct json *json, const char *key, bool b)
{
	add_key(json, key);
	strbuf_add(&json->out, b ? "true" : "false");
}

void json_null(struct json *json, const char *key)
{
	add_key(json, key);
	strbuf_add(&json->out, "null");
}

void json_print(struct json *json)
{
	assert(!json->depth);
	puts(json->out.text);
	free(json->out.text);
	memset(json, 0, sizeof(*json));
}
