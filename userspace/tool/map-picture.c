// SPDX-License-Identifier: GPL-2.0-only
/*
 * A map as a picture. The disk is cut into as many parts as there is room for, however many extents it has.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "map-picture.h"
#include "number.h"
#include "output.h"
#include "svg.h"
#include "util.h"

/* Columns of the text beside the picture, and characters of a name in it. */
#define NAME_CHARS 20
#define BESIDE (4 + NAME_CHARS + 2 + 6 + 2)
#define DEFAULT_COLUMNS 80
#define MIN_BINS 10
#define MAX_BINS 200

struct picture {
	struct map_bins *layers;	/* the base first */
	unsigned int nr;
};

uint64_t map_bin_start(const struct map_bins *bins, unsigned int bin)
{
	/* The product may have more than 64 bits. */
	return (uint64_t)((unsigned __int128)bins->disk * bin / bins->nr);
}

void map_bins_add(struct map_bins *bins, uint64_t start, uint64_t length)
{
	unsigned int bin = (unsigned int)((unsigned __int128)start * bins->nr / bins->disk);
	uint64_t next, part;

	/* Rounding may have found the one before, which gets nothing then. */
	for (; length; bin++) {
		next = map_bin_start(bins, bin + 1);
		part = next - start < length ? next - start : length;
		bins->bytes[bin] += part;
		start += part;
		length -= part;
	}
}

static uint64_t total(const struct map_bins *bins)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < bins->nr; i++)
		sum += bins->bytes[i];
	return sum;
}

static double share(const struct map_bins *bins, unsigned int bin)
{
	return (double)bins->bytes[bin] / (double)(map_bin_start(bins, bin + 1) - map_bin_start(bins, bin));
}

static int take_extent(const struct map_extent *e, void *data)
{
	struct picture *picture = data;

	/* Holes of a base hide nothing. */
	if (e->data || (e->present && e->depth + 1 < picture->nr))
		map_bins_add(&picture->layers[picture->nr - 1 - e->depth], e->start, e->length);
	return 0;
}

/* The name of a layer ends with the path of its file. */
static const char *short_name(const struct map_chain *chain, unsigned int layer)
{
	const char *name = chain->layers[layer].name, *slash = strrchr(name, '/');

	return slash && slash[1] ? slash + 1 : name;
}

/* ---- in the terminal ---- */

static unsigned int columns(void)
{
	const char *text = getenv("COLUMNS");
	uint64_t number;
	struct winsize size;

	if (text && !parse_u64(text, &number) && number && number < UINT32_MAX)
		return (unsigned int)number;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		return size.ws_col;
	return DEFAULT_COLUMNS;
}

static unsigned int bins_that_fit(void)
{
	unsigned int all = columns();

	if (all < BESIDE + MIN_BINS)
		return MIN_BINS;
	return all - BESIDE > MAX_BINS ? MAX_BINS : all - BESIDE;
}

static const char *shade(double part)
{
	static const char *const blocks[] = { "\xe2\x96\x91", "\xe2\x96\x92", "\xe2\x96\x93", "\xe2\x96\x88" };
	static const char *const ascii[] = { ".", ":", "+", "#" };
	unsigned int i = part >= 0.999 ? 3 : part >= 0.5 ? 2 : part >= 0.1 ? 1 : 0;

	if (part <= 0)
		return " ";
	return out_is_ascii() ? ascii[i] : blocks[i];
}

/* At most so many characters, and blanks up to that. */
static void print_name(const char *name)
{
	char *safe = xsafe_text(name), *p;
	int nr = 0;

	for (p = safe; *p; p++) {
		/* Not the other bytes of a character. */
		nr += ((unsigned char)*p & 0xc0) != 0x80;
		if (nr > NAME_CHARS)
			break;
		putchar(*p);
	}
	printf("%*s", nr < NAME_CHARS ? NAME_CHARS - nr : 0, "");
	free(safe);
}

static void print_row(const struct map_bins *bins, unsigned int number, const char *name)
{
	char size[HUMAN_LEN];
	unsigned int i;

	printf("%3u ", number);
	print_name(name);
	printf("  %6s  ", human_size(total(bins), size));
	for (i = 0; i < bins->nr; i++)
		fputs(shade(share(bins, i)), stdout);
	putchar('\n');
}

static void print_text(const struct map_chain *chain, const struct picture *picture)
{
	char size[HUMAN_LEN];
	unsigned int i;

	printf("%3s %-*s  %6s  %-*s%s\n", "", NAME_CHARS, "LAYER", "BYTES",
	       (int)(picture->layers[0].nr - strlen(human_size(chain->size, size))), "0", size);
	for (i = picture->nr; i-- > 0; )
		print_row(&picture->layers[i], i, short_name(chain, i));
}

/* ---- as SVG ---- */

#define SVG_BINS 256
#define BIN_W 2
#define ROW_H 24
#define LABEL_W 240u
#define LABEL_CHARS 32
#define EDGE 8

static const char style[] =
	".disk { fill: none; stroke: #8b949e; stroke-width: 0.5; }\n"
	".data { fill: #5b7db1; }\n"
	"@media (prefers-color-scheme: dark) {\n"
	".data { fill: #6f9be0; }\n"
	"}\n";

/* Neighbours with the same share are one rectangle. */
static void draw_bins(const struct map_bins *bins, double y)
{
	unsigned int i, end;

	for (i = 0; i < bins->nr; i = end) {
		for (end = i + 1; end < bins->nr && share(bins, i) == share(bins, end); )
			end++;
		if (bins->bytes[i])
			printf("<rect class=\"data\" x=\"%u\" y=\"%.1f\" width=\"%u\" height=\"%d\" fill-opacity=\"%.2f\"/>\n",
			       LABEL_W + i * BIN_W, y, (end - i) * BIN_W, ROW_H - 8, 0.25 + 0.75 * share(bins, i));
	}
	printf("<rect class=\"disk\" x=\"%u\" y=\"%.1f\" width=\"%u\" height=\"%d\"/>\n", LABEL_W, y, bins->nr * BIN_W,
	       ROW_H - 8);
}

static void print_svg(const struct map_chain *chain, const struct picture *picture)
{
	char size[HUMAN_LEN], *text;
	double y = EDGE;
	unsigned int i;

	svg_begin(LABEL_W + SVG_BINS * BIN_W + EDGE, picture->nr * ROW_H + 2 * EDGE, "Which layer provides which part of the disk",
		  style);
	for (i = picture->nr; i-- > 0; y += ROW_H) {
		text = xasprintf("%u %s, %s", i, short_name(chain, i), human_size(total(&picture->layers[i]), size));
		svg_text(EDGE, y + 13, "text", text, LABEL_CHARS);
		draw_bins(&picture->layers[i], y);
		free(text);
	}
	svg_end();
}

/* ---- */

static void init(struct picture *picture, const struct map_chain *chain, unsigned int nr_bins)
{
	unsigned int i;

	picture->nr = chain->nr;
	picture->layers = xcalloc(chain->nr, sizeof(*picture->layers));
	/* A part has a sector at least. */
	if (chain->size / SECTOR_SIZE < nr_bins)
		nr_bins = (unsigned int)(chain->size / SECTOR_SIZE) ?: 1;
	for (i = 0; i < chain->nr; i++)
		picture->layers[i] = (struct map_bins){
			.disk = chain->size, .nr = nr_bins, .bytes = xcalloc(nr_bins, sizeof(uint64_t)),
		};
}

int map_picture(struct map_chain *chain, enum map_picture_kind kind)
{
	struct picture picture;
	unsigned int i;
	int ret;

	init(&picture, chain, kind == MAP_PICTURE_SVG ? SVG_BINS : bins_that_fit());
	ret = map_chain_walk(chain, take_extent, &picture);
	if (!ret && kind == MAP_PICTURE_SVG)
		print_svg(chain, &picture);
	else if (!ret)
		print_text(chain, &picture);
	for (i = 0; i < picture.nr; i++)
		free(picture.layers[i].bytes);
	free(picture.layers);
	return ret;
}
