// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of units of systemd.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "unit-name.h"

#define UNIT_NAME_MAX	255

char *unit_escape(const char *text)
{
	char *escaped = need(malloc(4 * strlen(text) + 1)), *to = escaped;
	const char *p;

	for (p = text; *p; p++) {
		if (*p == '/')
			*to++ = '-';
		else if (isascii(*p) && (isalnum((unsigned char)*p) || *p == ':' || *p == '_' || (*p == '.' && p > text)))
			*to++ = *p;
		else
			to += sprintf(to, "\\x%02x", (unsigned char)*p);
	}
	*to = '\0';
	return escaped;
}

char *unit_escape_path(const char *path)
{
	char *plain = need(malloc(strlen(path) + 1)), *to = plain, *escaped;

	/* one slash between words, and none at the ends */
	for (; *path; path++)
		if (*path != '/')
			*to++ = *path;
		else if (to > plain && path[1] && path[1] != '/')
			*to++ = '/';
	*to = '\0';
	escaped = unit_escape(*plain ? plain : "/");
	free(plain);
	return escaped;
}

bool unit_name_fits(const char *name)
{
	return strlen(name) <= UNIT_NAME_MAX;
}
