/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pictures as SVG on stdout, readable on light and on dark pages.
 */
#ifndef COWCHAIN_SVG_H
#define COWCHAIN_SVG_H

#include <stddef.h>

/*
 * All sizes are in pixels. Begin a picture. title is what a screen reader says. more: rules of CSS for its classes
 * beside those that every picture has: "text", "note", "line".
 */
void svg_begin(unsigned int width, unsigned int height, const char *title, const char *more);
void svg_end(void);
/*
 * Text from outside, safe to be shown, as it is between tags or in an attribute. At most nr characters, the last of
 * them an ellipsis if more were there; 0: no limit. Caller frees.
 */
char *svg_escape(const char *text, size_t nr);
/* Draw text with its left end at x. class: see above; nr: as above. */
void svg_text(double x, double y, const char *class, const char *text, size_t nr);

#endif
