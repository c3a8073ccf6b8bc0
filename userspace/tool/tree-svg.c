// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shows a tree as a picture: bases on the left, chains on the right.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "svg.h"
#include "tree-svg.h"
#include "util.h"

#define BOX_W 216
#define BOX_H 46
#define GAP_X 44
#define GAP_Y 12
#define MARGIN 8
/* Characters that fit into a box at the sizes of svg.c, of a font of usual width. */
#define TEXT_CHARS 27
#define NOTE_CHARS 34

static const char style[] =
	".layer { fill: #eef3fb; stroke: #5b7db1; }\n"
	".chain { fill: #e9f6ec; stroke: #3b8f54; }\n"
	".job { fill: #3b8f54; }\n"
	"@media (prefers-color-scheme: dark) {\n"
	".layer { fill: #172338; stroke: #6f9be0; }\n"
	".chain { fill: #12291a; stroke: #4fb06d; }\n"
	".job { fill: #4fb06d; }\n"
	"}\n";

/* Where each box is: in columns and rows. A box is in the middle of those on top of it. */
struct layout {
	const struct tree *tree;
	double *layer_row;
	double *chain_row;
	size_t *column;		/* of each layer */
	size_t columns;
	size_t rows;
};

/* ---- layout ---- */

/* The row between the first and the last of those that were placed meanwhile; a row of its own for none. */
static double middle(struct layout *l, double first, double last)
{
	return first < 0 ? (double)l->rows++ : (first + last) / 2;
}

static void place_chains(struct layout *l, size_t top, size_t column, double *first, double *last)
{
	size_t i;

	for (i = 0; i < l->tree->nr_chains; i++) {
		if (l->tree->chains[i].top != top)
			continue;
		l->chain_row[i] = (double)l->rows++;
		*last = l->chain_row[i];
		if (*first < 0)
			*first = *last;
		if (column + 1 > l->columns)
			l->columns = column + 1;
	}
}

static void place(struct layout *l, size_t number, size_t column)
{
	double first = -1, last = -1;
	size_t i;

	l->column[number] = column;
	if (column + 1 > l->columns)
		l->columns = column + 1;
	place_chains(l, number, column + 1, &first, &last);
	for (i = 0; i < l->tree->nr_layers; i++) {
		if (l->tree->layers[i].below != number)
			continue;
		place(l, i, column + 1);
		last = l->layer_row[i];
		if (first < 0)
			first = last;
	}
	l->layer_row[number] = middle(l, first, last);
}

static void lay_out(struct layout *l)
{
	double first = -1, last = -1;
	size_t i;

	for (i = 0; i < l->tree->nr_layers; i++)
		if (l->tree->layers[i].below == TREE_NONE)
			place(l, i, 0);
	place_chains(l, TREE_NONE, 0, &first, &last);
}

static double left_of(size_t column)
{
	return MARGIN + (double)column * (BOX_W + GAP_X);
}

static double top_of(double row)
{
	return MARGIN + row * (BOX_H + GAP_Y);
}

/* ---- boxes ---- */

static void draw_line(size_t column, double from_row, double to_row)
{
	double x = left_of(column) + BOX_W, y = top_of(from_row) + BOX_H / 2.0;
	double x2 = left_of(column + 1), y2 = top_of(to_row) + BOX_H / 2.0, mid = (x + x2) / 2;

	printf("<path class=\"line\" d=\"M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f\"/>\n", x, y, mid, y, mid, y2, x2,
	       y2);
}

/* full: the whole name, for a reader that points at the box. */
static void draw_box(double x, double y, const char *class, const char *name, const char *note, const char *full)
{
	char *title = svg_escape(full, 0);

	printf("<g>\n<title>%s</title>\n", title);
	printf("<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%d\" rx=\"6\"/>\n", class, x, y, BOX_W,
	       BOX_H);
	svg_text(x + 10, y + 19, "text", name, TEXT_CHARS);
	svg_text(x + 10, y + 36, "note", note, NOTE_CHARS);
	puts("</g>");
	free(title);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static void draw_layer(const struct layout *l, size_t number)
{
	const struct tree_layer *layer = &l->tree->layers[number];
	const char *file = layer->file ? layer->file : "?";
	char size[HUMAN_LEN];
	struct strbuf note = { 0 };

	strbuf_add(&note, kind_name(layer->kind));
	if (layer->has_size)
		strbuf_addf(&note, ", %s", human_size(layer->size, size));
	if (layer->has_on_disk)
		strbuf_addf(&note, ", %s on disk", human_size(layer->on_disk, size));
	draw_box(left_of(l->column[number]), top_of(l->layer_row[number]), "layer", base_name(file), note.text, file);
	free(note.text);
	if (layer->below != TREE_NONE)
		draw_line(l->column[layer->below], l->layer_row[layer->below], l->layer_row[number]);
}

/* How far the job is, along the lower edge. */
static void draw_progress(double x, double y, const struct target_job *job)
{
	if (job->present && !job_concluded(job))
		printf("<rect class=\"job\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"3\" rx=\"1.5\"/>\n", x + 6,
		       y + BOX_H - 5, (BOX_W - 12) * job_percent(job) / 100);
}

static void draw_chain(const struct layout *l, size_t number)
{
	const struct tree_chain *chain = &l->tree->chains[number];
	size_t column = chain->top == TREE_NONE ? 0 : l->column[chain->top] + 1;
	double x = left_of(column), y = top_of(l->chain_row[number]);
	char *job = tree_job(&chain->job), size[HUMAN_LEN];
	char *note = xasprintf("%s, %s%s%s", human_size(chain->size, size), chain->mode, job ? ", " : "",
			       job ? job : "");
	char *node = xasprintf("/dev/mapper/%s", chain->name);

	draw_box(x, y, "chain", chain->name, note, node);
	draw_progress(x, y, &chain->job);
	if (chain->top != TREE_NONE)
		draw_line(column - 1, l->layer_row[chain->top], l->chain_row[number]);
	free(node);
	free(note);
	free(job);
}

void tree_print_svg(const struct tree *tree)
{
	struct layout l = {
		.tree = tree,
		.layer_row = xcalloc(tree->nr_layers + 1, sizeof(*l.layer_row)),
		.chain_row = xcalloc(tree->nr_chains + 1, sizeof(*l.chain_row)),
		.column = xcalloc(tree->nr_layers + 1, sizeof(*l.column)),
	};
	size_t i;

	lay_out(&l);
	svg_begin((unsigned int)left_of(l.columns) - GAP_X + MARGIN, (unsigned int)top_of((double)l.rows) - GAP_Y + MARGIN,
		  "Layers and the chains that read them", style);
	for (i = 0; i < tree->nr_layers; i++)
		draw_layer(&l, i);
	for (i = 0; i < tree->nr_chains; i++)
		draw_chain(&l, i);
	svg_end();
	free(l.layer_row);
	free(l.chain_row);
	free(l.column);
}
