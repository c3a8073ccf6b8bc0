// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pictures as SVG.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svg.h"
#include "util.h"

#define ELLIPSIS "\xe2\x80\xa6"

/* An image on a page follows the scheme of the reader, not of the page. */
static const char style[] =
	"text { font-family: system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; }\n"
	".text { font-size: 13px; fill: #1f2328; }\n"
	".note { font-size: 11px; fill: #59636e; }\n"
	".line { fill: none; stroke: #8b949e; stroke-width: 1.5; }\n"
	"@media (prefers-color-scheme: dark) {\n"
	".text { fill: #e6edf3; }\n"
	".note { fill: #9198a1; }\n"
	".line { stroke: #6e7681; }\n"
	"}\n";

/* Is it another byte of the same character? */
static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Where the character with this number is; at the end if there are fewer. */
static size_t find_character(const char *text, size_t nr)
{
	size_t at = 0;

	for (; text[at]; at++)
		if (!continues(text[at]) && !nr--)
			break;
	return at;
}

/* There is room for an ellipsis behind the text. */
static void cut(char *text, size_t nr)
{
	size_t keep = find_character(text, nr - 1);

	if (text[find_character(text, nr)])
		strcpy(text + keep, ELLIPSIS);
}

char *svg_escape(const char *text, size_t nr)
{
	static const char *const entities[256] = {
		['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;",
	};
	char *safe = xsafe_text(text), c[] = { 0, 0 };
	struct strbuf whole = { 0 }, sb = { 0 };
	const char *p;

	strbuf_addf(&whole, "%s%s", safe, ELLIPSIS);
	whole.text[strlen(safe)] = '\0';
	if (nr)
		cut(whole.text, nr);
	for (p = whole.text; (c[0] = *p); p++)
		strbuf_add(&sb, entities[(unsigned char)*p] ?: c);
	free(whole.text);
	free(safe);
	return sb.text ? sb.text : xstrdup("");
}

void svg_begin(unsigned int width, unsigned int height, const char *title, const char *more)
{
	char *text = svg_escape(title, 0);

	printf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" viewBox=\"0 0 %u %u\" role=\"img\">\n",
	       width, height, width, height);
	printf("<title>%s</title>\n<style>\n%s%s</style>\n", text, style, more);
	free(text);
}

void svg_end(void)
{
	puts("</svg>");
}

void svg_text(double x, double y, const char *class, const char *text, size_t nr)
{
	char *safe = svg_escape(text, nr);

	printf("<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">%s</text>\n", x, y, class, safe);
	free(safe);
}
