/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes JSON. All that the program prints as JSON comes from here, except a map, which has no end in memory and looks
 * as that of qemu-img.
 */
#ifndef COWCHAIN_JSON_H
#define COWCHAIN_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "util.h"

#define JSON_DEPTH 16

/* Initialise with zeros. */
struct json {
	struct strbuf out;
	char open[JSON_DEPTH];	/* what ends each object or array that has begun */
	unsigned int depth;
	bool one_line;		/* without line breaks and indents */
	bool follows;		/* there is a value before the next one */
};

/* The first value is the whole. key: NULL in an array, and for the first one. ASCII that needs no escapes. */
void json_object(struct json *json, const char *key);
void json_array(struct json *json, const char *key);
/* End the object or array that has begun last. */
void json_end(struct json *json);
/* Whatever bytes it has, see safe-text.h; NULL is null. */
void json_text(struct json *json, const char *key, const char *text);
void json_number(struct json *json, const char *key, uint64_t number);
/* In thousandths. */
void json_fraction(struct json *json, const char *key, uint64_t thousandths);
void json_bool(struct json *json, const char *key, bool b);
void json_null(struct json *json, const char *key);

/* Print what is complete, and free it. */
void json_print(struct json *json);

#endif
