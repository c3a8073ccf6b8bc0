// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads a file with options.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#define BLANKS " \t\r\n"

/* A value may contain blanks, such as that of "append", but none at its end. */
static void trim(char *text)
{
	size_t len = strlen(text);

	while (len && strchr(BLANKS, text[len - 1]))
		text[--len] = '\0';
}

/* Split a line. Returns its first word, or NULL if there is nothing; *value is in the same memory. */
static char *split(char *line, char **value)
{
	char *name = line + strspn(line, BLANKS);

	if (!*name || *name == '#')
		return NULL;
	trim(name);
	*value = name + strcspn(name, BLANKS);
	if (**value) {
		*(*value)++ = '\0';
		*value += strspn(*value, BLANKS);
	}
	return name;
}

int config_read(const char *path, void (*take)(void *data, const char *name, char *value, unsigned int line),
		void *data)
{
	FILE *in = fopen(path, "re");
	unsigned int nr = 0;
	char *line, *name, *value;
	size_t room;
	int err = 0;

	if (!in)
		return -errno;
	for (;;) {
		line = NULL;
		room = 0;
		errno = 0;
		if (getline(&line, &room, in) < 0)
			break;
		nr++;
		name = split(line, &value);
		if (name)
			take(data, name, value, nr);
		else
			free(line);
	}
	if (!feof(in))
		err = errno ? -errno : -EIO;
	free(line);
	fclose(in);
	return err;
}
