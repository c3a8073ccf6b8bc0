// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints tables in columns or as JSON.
 */
#include <inttypes.h>
#include <langinfo.h>
#include <libsmartcols.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "options.h"
#include "output.h"
#include "util.h"

/* Has the user no more than ASCII? */
static bool ascii;

/*
 * Names are UTF-8, whatever the locale. The library knows how wide their characters are where these are those of the
 * locale; where they are not, as in the locale C, it never returns from counting them.
 */
void out_set_locale(void)
{
	setlocale(LC_CTYPE, "");
	ascii = strcmp(nl_langinfo(CODESET), "UTF-8");
	if (ascii)
		setlocale(LC_CTYPE, "C.UTF-8");
}

bool out_is_ascii(void)
{
	return ascii;
}

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
	free(table->parents);
	table->cells = NULL;
	table->parents = NULL;
}

void out_branch(struct out_table *table, size_t parent)
{
	size_t row = table->nr_cells / table->nr_columns;

	table->parents = xrealloc(table->parents, row + 1, sizeof(*table->parents));
	table->parents[row] = parent;
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

/* Without any locale that has UTF-8, all other bytes are shown as safe_text() shows some. */
static char *xcolumn_text(const char *text)
{
	char *safe = xsafe_text(text), *p;
	struct strbuf sb = { 0 };

	if (MB_CUR_MAX > 1)
		return safe;
	for (p = safe; *p; p++)
		strbuf_addf(&sb, (unsigned char)*p < 0x80 ? "%c" : "\\x%02x", (unsigned char)*p);
	free(safe);
	return sb.text ? sb.text : xstrdup("");
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
		return xcolumn_text(cell->text);
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

static void add_json_cell(struct json *json, const char *key, const struct out_cell *cell, enum out_type type)
{
	if (cell->none)
		json_null(json, key);
	else if (type == OUT_TEXT)
		json_text(json, key, cell->text);
	else if (type == OUT_PERCENT)
		json_fraction(json, key, cell->number);
	else
		json_number(json, key, cell->number);
}

void out_add_json_row(struct json *json, const char *key, const struct out_table *table, size_t row)
{
	const struct out_cell *cells = &table->cells[row * table->nr_columns];
	size_t col;

	json_object(json, key);
	for (col = 0; col < table->nr_columns; col++)
		add_json_cell(json, table->columns[col].key, &cells[col], table->columns[col].type);
	json_end(json);
}

static void print_json(const struct out_table *table, const char *name)
{
	size_t row, nr = table->nr_cells / table->nr_columns;
	struct json json = { 0 };

	json_object(&json, NULL);
	json_array(&json, name);
	for (row = 0; row < nr; row++)
		out_add_json_row(&json, NULL, table, row);
	json_end(&json);
	json_end(&json);
	json_print(&json);
}

static int column_flags(const struct out_table *table, const struct out_column *column)
{
	/* With the lines that the character set has. */
	if (table->parents && column == table->columns)
		return SCOLS_FL_TREE;
	/* Numbers are aligned to the right. */
	return column->type == OUT_TEXT ? 0 : SCOLS_FL_RIGHT;
}

static void add_columns(struct libscols_table *scols, const struct out_table *table)
{
	const struct out_column *column;

	for (column = table->columns; column < table->columns + table->nr_columns; column++)
		need(scols_table_new_column(scols, column->heading, 0, column_flags(table, column)));
}

static struct libscols_line *add_row(struct libscols_table *scols, const struct out_table *table, size_t row)
{
	struct libscols_line *parent = NULL, *line;

	if (table->parents && table->parents[row] != OUT_ROOT)
		parent = scols_table_get_line(scols, table->parents[row]);
	line = scols_table_new_line(scols, parent);
	need(line);
	return line;
}

static void add_cells(struct libscols_table *scols, const struct out_table *table,
		      const struct out_options *opt)
{
	struct libscols_line *line = NULL;
	size_t i, col;

	for (i = 0; i < table->nr_cells; i++) {
		col = i % table->nr_columns;
		if (!col)
			line = add_row(scols, table, i / table->nr_columns);
		/* On success, it takes over the text. */
		need(!scols_line_refer_data(line, col, format_cell(&table->cells[i], table->columns[col].type, opt)));
	}
}

static void print_table(struct libscols_table *scols)
{
	char *text = NULL;

	need(!scols_print_table_to_string(scols, &text));
	if (*text)
		puts(text);
	free(text);
}

/*
 * The library knows how wide characters are. But it does not escape all that safe_text() does, so that is done here,
 * and not again there.
 */
static void print_columns(const struct out_table *table, const struct out_options *opt)
{
	struct libscols_table *scols = scols_new_table();

	need(scols);
	need(!scols_table_enable_noencoding(scols, true));
	need(!scols_table_enable_ascii(scols, ascii));
	need(!scols_table_enable_noheadings(scols, opt->noheadings));
	need(!scols_table_set_column_separator(scols, "  "));
	/* As long as they are: names are not cut off to fit a terminal. */
	need(!scols_table_set_termforce(scols, SCOLS_TERMFORCE_NEVER));
	add_columns(scols, table);
	add_cells(scols, table, opt);
	print_table(scols);
	scols_unref_table(scols);
}

void out_print(const struct out_table *table, const char *name, const struct out_options *opt)
{
	if (opt->json)
		print_json(table, name);
	else
		print_columns(table, opt);
}
