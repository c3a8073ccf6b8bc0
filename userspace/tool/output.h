/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables, printed in columns for people or as JSON for programs.
 */
#ifndef COWCHAIN_OUTPUT_H
#define COWCHAIN_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

enum out_type {
	OUT_TEXT,
	OUT_NUMBER,
	OUT_SIZE,	/* bytes; in columns as 1.5G, unless --bytes */
	OUT_PERCENT,	/* in thousandths of a percent */
};

struct out_column {
	const char *heading;
	const char *key;	/* in JSON */
	enum out_type type;
};

struct out_cell {
	char *text;
	uint64_t number;
	bool none;		/* "-", or null in JSON */
};

struct out_table {
	const struct out_column *columns;
	size_t nr_columns;
	struct out_cell *cells;	/* row by row */
	size_t nr_cells;
	size_t *parents;	/* of each row, OUT_ROOT for none; NULL: no tree */
};

#define OUT_ROOT SIZE_MAX

struct out_options {
	bool json;
	bool noheadings;
	bool bytes;
};

/* At the start of the program, before any output. */
void out_set_locale(void);
/* Has the user's character set no more than ASCII for lines and blocks? Names are shown as they are. */
bool out_is_ascii(void);

/* A take_option_fn: takes one of TABLE_OPTIONS for a struct out_options. Returns 0. */
int out_option(int id, const char *value, void *opt);

void out_init(struct out_table *table, const struct out_column *columns, size_t nr_columns);
void out_free(struct out_table *table);

/* Add a cell, from left to right; the type of the column decides which function fits. */
void out_text(struct out_table *table, const char *text);	/* NULL: none */
void out_number(struct out_table *table, uint64_t number);
void out_none(struct out_table *table);

/*
 * Before the first cell of a row: its first column is drawn as a branch of that row, which comes before it; OUT_ROOT:
 * of none. In such a table, this has to be called for each row.
 */
void out_branch(struct out_table *table, size_t parent);

/* name: the key in JSON of the array of rows. */
void out_print(const struct out_table *table, const char *name, const struct out_options *opt);
/* An object of one row. key: see json.h. */
void out_add_json_row(struct json *json, const char *key, const struct out_table *table, size_t row);

#endif
