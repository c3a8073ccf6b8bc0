/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text from outside (names of files and devices, what stands in images, what the kernel says), made fit
 * to be shown. A terminal obeys control characters, a newline looks like another line of a log, and
 * characters that change the direction of writing make a name look like another one.
 */
#ifndef COWCHAIN_SAFE_TEXT_H
#define COWCHAIN_SAFE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* The room that the results of these functions need for a text of len bytes. */
#define SAFE_TEXT_ROOM(len) (4 * (len) + 1)
#define SAFE_UTF8_ROOM(len) (3 * (len) + 1)
#define SAFE_JSON_ROOM(len) (6 * (len) + 1)

/*
 * Each byte that is not shown as it is becomes \xNN: those of control characters, of characters that
 * are invisible or change the direction of writing, and bytes that are not UTF-8. So does a backslash
 * before an x: different texts remain different.
 */
void safe_text(char *to, const char *text);
/* Is safe_text() the same text? */
bool safe_text_is(const char *text);

/* Replace bytes that are not UTF-8 by U+FFFD: JSON is UTF-8. */
void safe_utf8(char *to, const char *text);
/*
 * The same JSON, with those characters as \uNNNN in its strings. It must be valid, and have such
 * characters nowhere else.
 */
void safe_json(char *to, const char *json);

#endif
