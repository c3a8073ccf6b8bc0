// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints tables in columns or as JSON.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "options.h"
#include "output.h"
#include "util.h"

int out_option(int id, const char *value, void *data)
{
	struct out_options *opt = data;

	(void)value;
	if (id == OPT_JSON)
		opt->json = true;
	else if (id == OPT_NOHEADINGS)
		opt->noheadings = true;
	else
		opt->bytes = true;
	return 0;
}

void out_init(struct out_table *table, const struct out_column *columns, size_t nr_columns)
{
	memset(table, 0, sizeof(*table));
	table->columns = columns;
	table->nr_columns = nr_columns;
}

void out_free(struct out_table *table)
{
	while (table->nr_cells)
		free(table->cells[--table->nr_cells].text);
	free(table->cells);
	table->cells = NULL;
}

static struct out_cell *add_cell(struct out_table *table)
{
	struct out_cell *cell;

	table->cells = xrealloc(table->cells, table->nr_cells + 1, sizeof(*table->cells));
	cell = &table->cells[table->nr_cells++];
	memset(cell, 0, sizeof(*cell));
	return cell;
}

void out_text(struct out_table *table, const char *text)
{
	struct out_cell *cell = add_cell(table);

	if (text)
		cell->text = xstrdup(text);
	else
		cell->none = true;
}

void out_number(struct out_table *table, uint64_t number)
{
	add_cell(table)->number = number;
}

void out_none(struct out_table *table)
{
	add_cell(table)->none = true;
}

/* The text of a cell in columns. Caller frees. */
static char *format_cell(const struct out_cell *cell, enum out_type type,
			 const struct out_options *opt)
{
	char buf[HUMAN_LEN];

	if (cell->none)
		return xstrdup("-");
	switch (type) {
	case OUT_TEXT:
		return xstrdup(cell->text);
	case OUT_SIZE:
		if (!opt->bytes)
			return xstrdup(human_size(cell->number, buf));
		break;
	case OUT_PERCENT:
		return xasprintf("%.1f%%", (double)cell->number / 1000);
	case OUT_NUMBER:
		break;
	}
	return xasprintf("%" PRIu64, cell->number);
}

/* Numbers are aligned to the right. The end of a line is not padded. */
static void print_cell(const char *text, size_t width, enum out_type type, bool last)
{
	if (type != OUT_TEXT)
		printf("%*s", (int)width, text);
	else if (last)
		fputs(text, stdout);
	else
		printf("%-*s", (int)width, text);
	fputs(last ? "\n" : "  ", stdout);
}

static void print_columns(const struct out_table *table, const struct out_options *opt)
{
	char **texts = xcalloc(table->nr_cells + 1, sizeof(*texts));
	size_t *width = xcalloc(table->nr_columns, sizeof(*width));
	size_t i, col;

	for (col = 0; col < table->nr_columns && !opt->noheadings; col++)
		width[col] = strlen(table->columns[col].heading);
	for (i = 0; i < table->nr_cells; i++) {
		col = i % table->nr_columns;
		texts[i] = format_cell(&table->cells[i], table->columns[col].type, opt);
		if (strlen(texts[i]) > width[col])
			width[col] = strlen(texts[i]);
	}
	for (col = 0; col < table->nr_columns && !opt->noheadings; col++)
		print_cell(table->columns[col].heading, width[col], table->columns[col].type,
			   col + 1 == table->nr_columns);
	for (i = 0; i < table->nr_cells; i++) {
		col = i % table->nr_columns;
		print_cell(texts[i], width[col], table->columns[col].type,
			   col + 1 == table->nr_columns);
		free(texts[i]);
	}
	free(texts);
	free(width);
}

/* Length in bytes of the UTF-8 character at p; 0 if it is not valid. */
static size_t utf8_length(const char *p)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t first = (uint8_t)*p;
	size_t len = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 :
		     first >> 3 == 30 ? 4 : 0, i;
	uint32_t c;

	if (len < 2)
		return len;
	c = first & (0xffU >> (len + 1));
	for (i = 1; i < len; i++) {
		if (((uint8_t)p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | ((uint8_t)p[i] & 0x3f);
	}
	return c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : len;
}

/* JSON is UTF-8, but names of files need not be: U+FFFD replaces invalid bytes. */
static struct json_object *json_text(const char *text)
{
	struct json_object *json;
	struct strbuf sb = { 0 };
	size_t len;

	strbuf_add(&sb, "");
	while (*text) {
		len = utf8_length(text);
		strbuf_addf(&sb, "%.*s", len ? (int)len : 3, len ? text : "\xef\xbf\xbd");
		text += len ? len : 1;
	}
	json = json_object_new_string(sb.text);
	free(sb.text);
	return json;
}

static struct json_object *json_cell(const struct out_cell *cell, enum out_type type)
{
	if (cell->none)
		return NULL;
	if (type == OUT_TEXT)
		return json_text(cell->text);
	if (type == OUT_PERCENT)
		return json_object_new_double((double)cell->number / 1000);
	return json_object_new_uint64(cell->number);
}

static void print_json(const struct out_table *table, const char *name)
{
	struct json_object *root = json_object_new_object();
	struct json_object *rows = json_object_new_array();
	struct json_object *row = NULL;
	const struct out_column *column;
	size_t i;

	for (i = 0; i < table->nr_cells; i++) {
		column = &table->columns[i % table->nr_columns];
		if (column == table->columns) {
			row = json_object_new_object();
			json_object_array_add(rows, row);
		}
		json_object_object_add(row, column->key, json_cell(&table->cells[i], column->type));
	}
	json_object_object_add(root, name, rows);
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_SPACED |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}

void out_print(const struct out_table *table, const char *name, const struct out_options *opt)
{
	if (opt->json)
		print_json(table, name);
	else
		print_columns(table, opt);
}
