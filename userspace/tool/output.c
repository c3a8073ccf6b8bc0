// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints tables in columns or as JSON.
 */
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "options.h"
#include "output.h"
#include "safe-text.h"
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

/* The library fails for want of memory only. */
static void need(bool done)
{
	if (!done)
		out_of_memory();
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
		return xsafe_text(cell->text);
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

/* The text of a cell in JSON; NULL for none. Caller frees. */
static char *json_cell(const struct out_cell *cell, enum out_type type)
{
	char *text;

	if (cell->none)
		return NULL;
	if (type == OUT_PERCENT)
		return xasprintf("%.3f", (double)cell->number / 1000);
	if (type != OUT_TEXT)
		return xasprintf("%" PRIu64, cell->number);
	text = xcalloc(SAFE_UTF8_ROOM(strlen(cell->text)), 1);
	safe_utf8(text, cell->text);
	return text;
}

/* Numbers are aligned to the right. */
static void add_columns(struct libscols_table *scols, const struct out_table *table,
			const struct out_options *opt)
{
	const struct out_column *column;
	struct libscols_column *added;
	bool is_text;

	for (column = table->columns; column < table->columns + table->nr_columns; column++) {
		is_text = column->type == OUT_TEXT;
		added = scols_table_new_column(scols, opt->json ? column->key : column->heading, 0,
					       is_text ? 0 : SCOLS_FL_RIGHT);
		need(added);
		scols_column_set_json_type(added, is_text ? SCOLS_JSON_STRING : SCOLS_JSON_NUMBER);
	}
}

static void add_cells(struct libscols_table *scols, const struct out_table *table,
		      const struct out_options *opt)
{
	struct libscols_line *line = NULL;
	const struct out_cell *cell;
	enum out_type type;
	size_t i, col;
	char *text;

	for (i = 0; i < table->nr_cells; i++) {
		col = i % table->nr_columns;
		cell = &table->cells[i];
		type = table->columns[col].type;
		if (!col) {
			line = scols_table_new_line(scols, NULL);
			need(line);
		}
		text = opt->json ? json_cell(cell, type) : format_cell(cell, type, opt);
		/* On success, it takes over the text. */
		need(!text || !scols_line_refer_data(line, col, text));
	}
}

static void print_table(struct libscols_table *scols, const struct out_options *opt)
{
	char *text = NULL, *safe;

	need(!scols_print_table_to_string(scols, &text));
	if (opt->json) {
		safe = xcalloc(SAFE_JSON_ROOM(strlen(text)), 1);
		safe_json(safe, text);
		fputs(safe, stdout);
		free(safe);
	} else if (*text) {
		puts(text);
	}
	free(text);
}

/*
 * The library knows how wide characters are. But it does not escape all that safe_text() does, and in
 * JSON nothing beyond ASCII, so that is done here, and not again there.
 */
void out_print(const struct out_table *table, const char *name, const struct out_options *opt)
{
	struct libscols_table *scols = scols_new_table();

	need(scols);
	need(!scols_table_enable_noencoding(scols, true));
	need(!scols_table_enable_json(scols, opt->json));
	need(!scols_table_enable_noheadings(scols, opt->noheadings));
	need(!scols_table_set_name(scols, name));
	need(!scols_table_set_column_separator(scols, "  "));
	/* As long as they are: names are not cut off to fit a terminal. */
	need(!scols_table_set_termforce(scols, SCOLS_TERMFORCE_NEVER));
	add_columns(scols, table, opt);
	add_cells(scols, table, opt);
	print_table(scols, opt);
	scols_unref_table(scols);
}
