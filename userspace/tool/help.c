// SPDX-License-Identifier: GPL-2.0-only
/*
 * Help texts and the list for completion.
 */
#include <stdlib.h>
#include <string.h>

#include "dm.h"
#include "help.h"
#include "safe-text.h"
#include "util.h"
#include "verbs.h"

/* Width of the left column at most: a help text behind a longer entry begins a new line. */
#define LEFT_MAX 26

void help_overview(FILE *out)
{
	const struct verb *const *verb;

	fputs("usage: cowchain [--debug] VERB ...\n\n", out);
	for (verb = verbs; *verb; verb++)
		fprintf(out, "  %-9s %s\n", (*verb)->name, (*verb)->summary);
	fputs("\n'cowchain help VERB' shows the options of a verb; the manual page is cowchain(8).\n",
	      out);
}

/* "--speed BYTES", or with its letter "-b, --base BASE". Caller frees. */
static char *option_words(const struct opt *opt)
{
	struct strbuf sb = { 0 };

	if (opt->letter)
		strbuf_addf(&sb, "-%c, ", opt->letter);
	strbuf_addf(&sb, "--%s", opt->name);
	if (opt->value)
		strbuf_addf(&sb, " %s", opt->value);
	return sb.text;
}

/* Print "  LEFT   TEXT", with all lines of the text at the same column. */
static void print_entry(const char *left, int width, const char *text, const char *also)
{
	const char *end;

	printf("  %-*s", width, left);
	if (strlen(left) > (size_t)width)
		printf("\n  %*s", width, "");
	for (; (end = strchr(text, '\n')); text = end + 1)
		printf("  %.*s\n  %*s", (int)(end - text), text, width, "");
	if (also)
		printf("  %s (also --%s)\n", text, also);
	else
		printf("  %s\n", text);
}

/* Width of the left column. */
static int left_width(const struct verb *verb)
{
	const struct operand *operand;
	const struct opt *const *opt;
	size_t width = 0, len;
	char *words;

	for (operand = verb->operands; operand && operand->name; operand++) {
		len = strlen(operand->name);
		if (operand->help && len > width && len <= LEFT_MAX)
			width = len;
	}
	for (opt = verb->options; opt && *opt; opt++) {
		if ((*opt)->old)
			continue;
		words = option_words(*opt);
		len = strlen(words);
		if (len > width && len <= LEFT_MAX)
			width = len;
		free(words);
	}
	return (int)width;
}

static void print_lines(const char *heading, const char *const *lines)
{
	puts(heading);
	for (; *lines; lines++)
		printf("  %s\n", *lines);
}

void help_verb(const struct verb *verb)
{
	const char *const *usage;
	const struct operand *operand;
	const struct opt *const *opt;
	int width = left_width(verb);
	char *words;

	for (usage = verb->usage; *usage; usage++)
		printf("%s cowchain %s%s%s\n", usage == verb->usage ? "usage:" : "      ", verb->name,
		       **usage ? " " : "", *usage);
	printf("\n%s\n\n", verb->summary);
	for (operand = verb->operands; operand && operand->name; operand++)
		if (operand->help)
			print_entry(operand->name, width, operand->help, NULL);
	for (opt = verb->options; opt && *opt; opt++) {
		if ((*opt)->old)
			continue;
		words = option_words(*opt);
		print_entry(words, width, (*opt)->help, (*opt)->also);
		free(words);
	}
	if (verb->details)
		fputs(verb->details, stdout);
	if (verb->examples)
		print_lines("\nExamples:", verb->examples);
}

static void print_kind(enum complete complete, const char *words)
{
	static const char *const kinds[] = {
		[COMPLETE_NOTHING] = "value",
		[COMPLETE_FILE] = "file",
		[COMPLETE_DIR] = "dir",
		[COMPLETE_DEVICE] = "device",
		[COMPLETE_DEVICE_OR_FILE] = "image",
	};

	printf(" %s%s%s\n", kinds[complete], words ? " " : "", words ? words : "");
}

static void list_option(const struct verb *verb, const struct opt *opt, const char *dashes,
			const char *name)
{
	printf("option %s %s%s", verb->name, dashes, name);
	if (opt->value)
		print_kind(opt->complete, opt->words);
	else
		puts(" flag");
}

static void list_verb(const struct verb *verb)
{
	const struct operand *operand;
	const struct opt *const *opt;
	unsigned int i = 0;

	printf("verb %s\n", verb->name);
	for (opt = verb->options; opt && *opt; opt++) {
		const char letter[] = { (*opt)->letter, '\0' };

		if ((*opt)->old)
			continue;
		list_option(verb, *opt, "--", (*opt)->name);
		if ((*opt)->also)
			list_option(verb, *opt, "--", (*opt)->also);
		if ((*opt)->letter)
			list_option(verb, *opt, "-", letter);
	}
	for (operand = verb->operands; operand && operand->name; operand++) {
		printf("operand %s %u%s", verb->name, i++, operand->many ? "+" : "");
		print_kind(operand->complete, operand->words);
	}
}

/* Others cannot be shown as they are, and will hardly be typed. */
static void list_devices(void)
{
	char **names;
	size_t nr, i;

	if (dm_names(&names, &nr))
		return;
	for (i = 0; i < nr; i++)
		if (safe_text_is(names[i]))
			puts(names[i]);
	dm_names_free(names, nr);
}

void help_completion(const char *what)
{
	const struct verb *const *verb;

	if (what) {
		list_devices();
		return;
	}
	for (verb = verbs; *verb; verb++)
		list_verb(*verb);
}
