// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes text from outside fit to be shown.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "macros.h"
#include "safe-text.h"

#define REPLACEMENT "\xef\xbf\xbd"

/* The UTF-8 character at p. Returns its length in bytes, or 0 if it is not valid. */
static size_t utf8_decode(const char *p, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t first = (uint8_t)*p;
	size_t len = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 :
		     first >> 3 == 30 ? 4 : 0, i;

	*c = first;
	if (len < 2)
		return len;
	*c = first & (0xffU >> (len + 1));
	for (i = 1; i < len; i++) {
		if (((uint8_t)p[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | ((uint8_t)p[i] & 0x3f);
	}
	return *c < least[len] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) ? 0 : len;
}

static bool is_safe(uint32_t c)
{
	/* Unicode's categories Cc, Cf, Zl and Zp, as far as a reader cannot see them. */
	static const uint32_t hidden[][2] = {
		{ 0, 0x1f }, { 0x7f, 0x9f },		/* control characters */
		{ 0xad, 0xad }, { 0x61c, 0x61c }, { 0x180e, 0x180e }, { 0x200b, 0x200f },
		{ 0x2028, 0x202e },			/* lines, paragraphs, directions */
		{ 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hidden); i++)
		if (c >= hidden[i][0] && c <= hidden[i][1])
			return false;
	return true;
}

/* The length of the character at text, if it is shown as it is; else 0. */
static size_t plain_length(const char *text)
{
	uint32_t c;
	size_t len = utf8_decode(text, &c);

	return len && is_safe(c) && (c != '\\' || text[1] != 'x') ? len : 0;
}

void safe_text(char *to, const char *text)
{
	uint32_t c;
	size_t len;

	while (*text) {
		len = plain_length(text);
		memcpy(to, text, len);
		to += len;
		text += len;
		/* All bytes of a character, or one that belongs to none. */
		for (len = len ? 0 : utf8_decode(text, &c) ?: 1; len; len--)
			to += sprintf(to, "\\x%02x", (uint8_t)*text++);
	}
	*to = '\0';
}

bool safe_text_is(const char *text)
{
	size_t len;

	for (; *text; text += len) {
		len = plain_length(text);
		if (!len)
			return false;
	}
	return true;
}

void safe_utf8(char *to, const char *text)
{
	uint32_t c;
	size_t len;

	for (; *text; text += len ? len : 1) {
		len = utf8_decode(text, &c);
		to = mempcpy(to, len ? text : REPLACEMENT, len ? len : strlen(REPLACEMENT));
	}
	*to = '\0';
}

/* Beyond 16 bits there are two halves. */
static char *escape(char *to, uint32_t c)
{
	if (c < 0x10000)
		return to + sprintf(to, "\\u%04x", c);
	c -= 0x10000;
	return to + sprintf(to, "\\u%04x\\u%04x", 0xd800 + (c >> 10), 0xdc00 + (c & 0x3ff));
}

void safe_json(char *to, const char *json)
{
	uint32_t c;
	size_t len;

	for (; *json; json += len ? len : 1) {
		len = utf8_decode(json, &c);
		/* Its lines end with newlines. Those in strings are escaped already. */
		if (len && (is_safe(c) || c == '\n' || c == '\t'))
			to = mempcpy(to, json, len);
		else
			to = escape(to, len ? c : 0xfffd);
	}
	*to = '\0';
}
