// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parses lines of /etc/cowchaintab, which are like those of fstab: fields that are separated by blanks, in which \040
 * is a blank. A word that is not known makes the line wrong: to leave out a misspelled "readonly" would write to an
 * image that is not to be written.
 */
#include <ctype.h>
#include <string.h>

#include "macros.h"
#include "memory.h"
#include "tab.h"

#define BLANKS		" \t\r\n"
#define NAME_MAX_LEN	127	/* device-mapper's */

/* Options of "cowchain attach". Not those with which one exception is made by hand, such as --ignore-identity. */
static const struct {
	const char *word;
	const char *option;
	bool value;
} attach_options[] = {
	{ "allow-dir", "--allow-dir", true },
	{ "backing-format", "--backing-format", true },
	{ "commit-ms", "--commit-ms", true },
	{ "format", "--format", true },
	{ "host", "--host", false },
	{ "mode", "--mode", true },
	{ "no-auto-resume", "--no-auto-resume", false },
	{ "no-discard-passdown", "--no-discard-passdown", false },
	{ "no-lock", "--no-lock", false },
	{ "owner", "--owner", true },
	{ "partitions", "--partitions", false },
	{ "read-only", "--read-only", false },
	{ "readonly", "--read-only", false },
};

static void words_add(struct words *words, const char *word)
{
	words->word = need(reallocarray(words->word, words->nr + 1, sizeof(*words->word)));
	words->word[words->nr++] = need(strdup(word));
}

static void words_free(struct words *words)
{
	size_t i;

	for (i = 0; i < words->nr; i++)
		free(words->word[i]);
	free(words->word);
}

void tab_entry_free(struct tab_entry *entry)
{
	free(entry->name);
	free(entry->top);
	words_free(&entry->mounts);
	words_free(&entry->args);
}

static bool is_octal(const char *p)
{
	return p[0] >= '0' && p[0] <= '3' && p[1] >= '0' && p[1] <= '7' && p[2] >= '0' && p[2] <= '7';
}

/* Replace \NNN by the byte. Returns false if a backslash begins something else. */
static bool unescape(char *text)
{
	char *to = text;

	for (; *text; to++) {
		if (*text != '\\') {
			*to = *text++;
		} else if (is_octal(text + 1)) {
			*to = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
			text += 4;
		} else {
			return false;
		}
	}
	*to = '\0';
	return true;
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			return true;
	return false;
}

/* Is it absolute, without "." and ".."? systemd waits for the file systems on the way to such a name only. */
static bool is_plain_path(const char *path)
{
	size_t len;

	if (*path != '/')
		return false;
	for (; *path; path += len) {
		path += strspn(path, "/");
		len = strcspn(path, "/");
		if ((len == 1 || len == 2) && !strncmp(path, "..", len))
			return false;
	}
	return true;
}

/* Names that are the same in /dev/mapper, where udev replaces other characters. */
static bool is_device_name(const char *name)
{
	static const char *const taken[] = { ".", "..", "control" };
	size_t len = strlen(name), i;

	for (i = 0; i < ARRAY_SIZE(taken); i++)
		if (!strcmp(name, taken[i]))
			return false;
	for (i = 0; i < len; i++)
		if (!isascii(name[i]) || (!isalnum((unsigned char)name[i]) && !strchr("#+-.:=@_", name[i])))
			return false;
	return len && len <= NAME_MAX_LEN;
}

/* Returns NULL, or what is wrong with it. */
static char *take_path(const char *what, const char *path)
{
	if (has_control(path))
		return format("%s: control characters cannot be part of a unit of systemd", what);
	if (!is_plain_path(path))
		return format("%s must be an absolute name without '.' and '..', not '%s'", what, path);
	return NULL;
}

static char *take_attach_option(struct tab_entry *entry, const char *word, const char *value)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(attach_options); i++) {
		if (strcmp(word, attach_options[i].word))
			continue;
		if (attach_options[i].value && (!value || !*value))
			return format("option '%s' needs a value: %s=...", word, word);
		if (!attach_options[i].value && value)
			return format("option '%s' takes no value", word);
		if (value && has_control(value))
			return format("option '%s': control characters cannot be part of a unit of systemd", word);
		words_add(&entry->args, attach_options[i].option);
		if (value)
			words_add(&entry->args, value);
		return NULL;
	}
	return format("no such option: '%s', see cowchaintab(5)", word);
}

/* Those that say when, and not how it is attached. */
static bool take_flag(struct tab_entry *entry, const char *word)
{
	if (!strcmp(word, "nofail"))
		entry->nofail = true;
	else if (!strcmp(word, "noauto"))
		entry->noauto = true;
	else if (!strcmp(word, "_netdev"))
		entry->netdev = true;
	else if (!strcmp(word, "x-initrd.attach"))
		entry->in_initrd = true;
	else
		return !*word || !strcmp(word, "defaults") || !strcmp(word, "auto") || !strcmp(word, "-") ||
		       !strcmp(word, "none");
	return true;
}

static char *take_option(struct tab_entry *entry, char *word)
{
	char *value, *why;

	if (!unescape(word))
		return format("option '%s': a backslash begins a byte in octal, such as \\040", word);
	if (take_flag(entry, word))
		return NULL;
	value = strchr(word, '=');
	if (value)
		*value++ = '\0';
	if (!strcmp(word, "x-systemd.requires-mounts-for")) {
		why = take_path(word, value ? value : "");
		if (!why)
			words_add(&entry->mounts, value);
		return why;
	}
	/* As in fstab, these are for other programs. */
	if (!strncmp(word, "x-", 2) && strncmp(word, "x-systemd.", 10) && strncmp(word, "x-initrd.", 9))
		return NULL;
	return take_attach_option(entry, word, value);
}

/* A comma that belongs to a value is written as \054. */
static char *take_options(struct tab_entry *entry, char *list)
{
	char *word, *why;

	while ((word = strsep(&list, ","))) {
		why = take_option(entry, word);
		if (why)
			return why;
	}
	return NULL;
}

static char *take_fields(struct tab_entry *entry, char *field[4])
{
	char *why;

	if (!field[1])
		return format("a name and the top image are needed");
	if (field[3])
		return format("'%s' is one field too many: a blank in a name is written as \\040", field[3]);
	if (!unescape(field[0]) || !unescape(field[1]))
		return format("a backslash begins a byte in octal, such as \\040");
	if (!is_device_name(field[0]))
		return format("the name '%s' must have 1 to %d letters, digits and #+-.:=@_", field[0], NAME_MAX_LEN);
	why = take_path("the top image", field[1]);
	if (why)
		return why;
	entry->name = need(strdup(field[0]));
	entry->top = need(strdup(field[1]));
	return field[2] ? take_options(entry, field[2]) : NULL;
}

enum tab_line tab_parse(char *line, size_t len, struct tab_entry *entry, char **why)
{
	char *field[4] = { NULL }, *rest = NULL;
	size_t i;

	*entry = (struct tab_entry) { 0 };
	*why = NULL;
	if (strlen(line) != len) {
		*why = format("there is a byte of 0");
		return TAB_WRONG;
	}
	field[0] = strtok_r(line, BLANKS, &rest);
	if (!field[0] || *field[0] == '#')
		return TAB_NOTHING;
	for (i = 1; i < ARRAY_SIZE(field) && field[i - 1]; i++)
		field[i] = strtok_r(NULL, BLANKS, &rest);
	*why = take_fields(entry, field);
	if (!*why)
		return TAB_ENTRY;
	tab_entry_free(entry);
	return TAB_WRONG;
}
