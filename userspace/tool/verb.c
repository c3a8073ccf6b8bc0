// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parses the options of a verb by its own table.
 */
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "plan.h"
#include "result.h"
#include "util.h"
#include "verb.h"

/* Arguments of getopt_long(). */
struct parser {
	struct option *names;
	char *letters;
};

static void add_name(struct option *entry, const struct opt *opt, const char *name)
{
	entry->name = name;
	entry->has_arg = opt->value ? required_argument : no_argument;
	entry->val = opt->id;
}

static void add_letter(struct strbuf *letters, const struct opt *opt, char letter)
{
	if (letter)
		strbuf_addf(letters, "%c%s", letter, opt->value ? ":" : "");
}

static void parser_init(struct parser *parser, const struct verb *verb)
{
	const struct opt *const *opt;
	struct strbuf letters = { 0 };
	size_t nr = 0;

	/* ":" tells a missing value from a wrong option. */
	strbuf_add(&letters, verb->in_order ? "+:" : ":");
	for (opt = verb->options; opt && *opt; opt++)
		nr += (*opt)->also ? 2 : 1;
	parser->names = xcalloc(nr + 1, sizeof(*parser->names));
	nr = 0;
	for (opt = verb->options; opt && *opt; opt++) {
		add_name(&parser->names[nr++], *opt, (*opt)->name);
		if ((*opt)->also)
			add_name(&parser->names[nr++], *opt, (*opt)->also);
		add_letter(&letters, *opt, (*opt)->letter);
		add_letter(&letters, *opt, (*opt)->old_letter);
	}
	parser->letters = letters.text;
}

static void parser_free(struct parser *parser)
{
	free(parser->names);
	free(parser->letters);
}

/* getopt_long() returns a letter, or the id of a long option, which is never a character. */
static int option_id(const struct verb *verb, int c)
{
	const struct opt *const *opt;

	for (opt = verb->options; opt && *opt; opt++)
		if (c == (*opt)->id || (c && (c == (*opt)->letter || c == (*opt)->old_letter)))
			return (*opt)->id;
	return -1;
}

int verb_refuse(const char *verb, int c, char *const *argv)
{
	/* A letter may be one of several in a word; other options are words. */
	const char letter[] = { '-', (char)optopt, '\0' };
	bool is_letter = optopt && optopt <= UCHAR_MAX;
	const char *name = is_letter ? letter : argv[optind - 1];

	if (c == ':')
		return cc_usage(verb, "the option %s needs a value", name);
	if (optopt && !is_letter)
		return cc_usage(verb, "the option takes no value: %s", name);
	return cc_usage(verb, "there is no option %s", name);
}

/* More words than the verb has operands; the verb itself looks at those of a command of its own, and at too few. */
static int refuse_surplus(const struct verb *verb, int argc, char *const *argv)
{
	const struct operand *operand;
	int most = 0;

	for (operand = verb->operands; operand && operand->name; operand++) {
		if (operand->many)
			return 0;
		most++;
	}
	if (!most || verb->in_order || argc - optind <= most)
		return 0;
	return cc_usage(verb->name, "'%s' is one word too many", argv[optind + most]);
}

int verb_parse(const struct verb *verb, int argc, char **argv, take_option_fn take, void *args)
{
	struct parser parser;
	int c, id, ret = 0;

	parser_init(&parser, verb);
	/* Its messages would not be safe, see safe-text.h. */
	opterr = 0;
	while (!ret && (c = getopt_long(argc, argv, parser.letters, parser.names, NULL)) != -1) {
		id = option_id(verb, c);
		if (id < 0)
			ret = verb_refuse(verb->name, c, argv);
		else if (id == OPT_JSON && verb->result)
			result_begin();
		else if (id == OPT_DRY_RUN)
			plan_begin();
		else
			ret = take(id, optarg, args);
	}
	parser_free(&parser);
	return ret ? ret : refuse_surplus(verb, argc, argv);
}
