/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The description of a verb: its help, its completion and the parsing of its options come from one
 * struct verb, in the file of the verb.
 */
#ifndef COWCHAIN_VERB_H
#define COWCHAIN_VERB_H

#include <stdbool.h>

/* What completes a value or an operand, in addition to its words. */
enum complete {
	COMPLETE_NOTHING,
	COMPLETE_FILE,
	COMPLETE_DIR,
	COMPLETE_DEVICE,		/* the name of a chain */
	COMPLETE_DEVICE_OR_FILE,
};

/*
 * struct opt - an option
 * @id: the value for the verb, see enum opt_id.
 * @name: the name after two dashes.
 * @also: another such name, or NULL.
 * @letter: the letter after one dash, or 0.
 * @old_letter: one that is still understood, but not shown, since it means something else in other verbs.
 * @old: so is the whole option.
 * @value: a word in capitals for its value; NULL if it has none.
 * @complete: what completes the value.
 * @words: possible values, separated by blanks, or NULL.
 * @help: its description; may have several lines.
 */
struct opt {
	int id;
	const char *name;
	const char *also;
	char letter;
	char old_letter;
	bool old;
	const char *value;
	enum complete complete;
	const char *words;
	const char *help;
};

/* An operand. Only the last one of a verb may have many. */
struct operand {
	const char *name;
	enum complete complete;
	const char *words;
	const char *help;		/* NULL: not in the help */
	bool many;
};

/*
 * struct verb - a verb
 * @usage: what follows the name, a string for each form, as in the man page; ends with NULL.
 * @summary: one line, without a full stop.
 * @operands: ends with one without a name; or NULL.
 * @options: ends with NULL; or NULL.
 * @details: more lines for the help, or NULL.
 * @examples: commands, ends with NULL; or NULL.
 * @result: the option --json is taken by verb_parse(): it asks for a result, see result.h. So is --dry-run, see plan.h.
 * @in_order: options must precede the operands.
 * @run: argv[0] is the name of the verb. Returns an exit status: CC_OK, CC_FAILED after a message,
 * or CC_USAGE for a wrong command line.
 */
struct verb {
	const char *name;
	const char *const *usage;
	const char *summary;
	const struct operand *operands;
	const struct opt *const *options;
	const char *details;
	const char *const *examples;
	bool result;
	bool in_order;
	int (*run)(int argc, char **argv);
};

/* Called for each option; value is NULL if it has none. Returns 0 or an exit status. */
typedef int (*take_option_fn)(int id, const char *value, void *args);

/*
 * Call take() for each option of the command line; then optind is the first operand. take may be
 * NULL for a verb without options.
 *
 * Return: 0, CC_USAGE after a message about an unknown option or a word too many, or what take() returned.
 */
int verb_parse(const struct verb *verb, int argc, char **argv, take_option_fn take, void *args);

/*
 * Report the option that getopt_long() has just refused by returning c. verb may be NULL. Returns
 * CC_USAGE. getopt's own messages contain what was written, whatever that does to a terminal.
 */
int verb_refuse(const char *verb, int c, char *const *argv);

#endif
