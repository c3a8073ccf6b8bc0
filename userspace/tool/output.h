/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables for people and for programs: columns for the eye, or the same cells as JSON.
 */
#ifndef COWCHAIN_OUTPUT_H
#define COWCHAIN_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum out_type {
	OUT_TEXT,
	OUT_NUMBER,
	OUT_SIZE,	/* bytes; 1.5G in columns unless bytes were asked for */
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
	struct out_cell *cells;	/* row after row */
	size_t nr_cells;
};

struct out_options {
	bool json;
	bool noheadings;
	bool bytes;
};

/* The long options of every verb that shows a table, for getopt_long(). */
#define OUT_LONG_OPTIONS \
	{ "json", no_argument, NULL, 'J' }, \
	{ "noheadings", no_argument, NULL, 'n' }, \
	{ "bytes", no_argument, NULL, 'b' }
#define OUT_SHORT_OPTIONS "Jnb"
/* Takes one of these. Returns false for another option. */
bool out_option(int c, struct out_options *opt);

void out_init(struct out_table *table, const struct out_column *columns, size_t nr_columns);
void out_free(struct out_table *table);

/* Cells are added from the left; the column's type says which function fits. */
void out_text(struct out_table *table, const char *text);	/* NULL: none */
void out_number(struct out_table *table, uint64_t number);
void out_none(struct out_table *table);

/* name is the key of the array of rows in JSON. */
void out_print(const struct out_table *table, const char *name, const struct out_options *opt);

#endif
