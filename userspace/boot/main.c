// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain-generator: tells systemd at boot, and whenever it loads its units again, about the chains in
 * /etc/cowchaintab. Whatever is wrong with a line concerns that line only.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "memory.h"
#include "tab.h"
#include "units.h"

/* Names of the entries so far, each with its line. */
struct seen {
	char **name;
	unsigned int *line;
	size_t nr;
};

/* Returns the line in which that name was before, or 0. */
static unsigned int seen_before(struct seen *seen, const char *name, unsigned int line)
{
	size_t i;

	for (i = 0; i < seen->nr; i++)
		if (!strcmp(seen->name[i], name))
			return seen->line[i];
	seen->name = need(reallocarray(seen->name, seen->nr + 1, sizeof(*seen->name)));
	seen->line = need(reallocarray(seen->line, seen->nr + 1, sizeof(*seen->line)));
	seen->name[seen->nr] = need(strdup(name));
	seen->line[seen->nr++] = line;
	return 0;
}

static void seen_free(struct seen *seen)
{
	while (seen->nr)
		free(seen->name[--seen->nr]);
	free(seen->name);
	free(seen->line);
}

/* systemd says so to its generators. */
static bool in_initrd(void)
{
	const char *word = getenv("SYSTEMD_IN_INITRD");

	return word ? !strcmp(word, "1") : !access("/etc/initrd-release", F_OK);
}

static int take_entry(const struct units *units, const struct tab_entry *entry, unsigned int line, struct seen *seen)
{
	unsigned int before = seen_before(seen, entry->name, line);

	if (before) {
		log_error("%s:%u: %s is in line %u already", units->tab, line, entry->name, before);
		return -1;
	}
	if (in_initrd() && !entry->in_initrd)
		return 0;
	return units_write(units, entry, line);
}

static int take_line(const struct units *units, char *text, size_t len, unsigned int line, struct seen *seen)
{
	struct tab_entry entry;
	char *why;
	int ret = 0;

	switch (tab_parse(text, len, &entry, &why)) {
	case TAB_WRONG:
		log_error("%s:%u: %s", units->tab, line, why);
		free(why);
		return -1;
	case TAB_ENTRY:
		ret = take_entry(units, &entry, line, seen);
		tab_entry_free(&entry);
		break;
	case TAB_NOTHING:
		break;
	}
	return ret;
}

/* A table that is a FIFO or a terminal must not make the boot wait. */
static FILE *open_tab(const char *tab)
{
	int fd = open(tab, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0) {
		if (errno != ENOENT)
			log_error("%s: cannot open: %s", tab, strerror(errno));
		return NULL;
	}
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		return fdopen(fd, "r");
	log_error("%s: this is not a regular file", tab);
	close(fd);
	errno = EINVAL;
	return NULL;
}

static int take_lines(const struct units *units, FILE *in)
{
	struct seen seen = { 0 };
	unsigned int line = 0;
	char *text = NULL;
	size_t room = 0;
	ssize_t len;
	int ret = 0;

	while ((len = getline(&text, &room, in)) >= 0)
		if (take_line(units, text, (size_t)len, ++line, &seen))
			ret = 1;
	if (ferror(in)) {
		log_error("%s: cannot read: %s", units->tab, strerror(errno));
		ret = 1;
	}
	free(text);
	seen_free(&seen);
	return ret;
}

int main(int argc, char **argv)
{
	const char *other = getenv("COWCHAINTAB");
	struct units units = { .tab = other ? other : "/etc/cowchaintab" };
	FILE *in;
	int ret;

	if (file_open_standard())
		return 1;
	if (argc != 4) {
		fputs("usage: cowchain-generator DIRECTORY EARLY-DIRECTORY LATE-DIRECTORY\n", stderr);
		return 1;
	}
	units.dir = argv[1];
	in = open_tab(units.tab);
	if (!in)
		return errno != ENOENT;
	ret = take_lines(&units, in);
	fclose(in);
	return ret;
}
