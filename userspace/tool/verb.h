/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a verb of the command line describes itself: its help, its part of the completion and what its
 * command line may hold all come from one struct verb, which stands in the file of the verb.
 */
#ifndef COWCHAIN_VERB_H
#define COWCHAIN_VERB_H

#include <stdbool.h>

/* What can complete a value or an operand, besides the words it names. */
enum complete {
	COMPLETE_NOTHING,
	COMPLETE_FILE,
	COMPLETE_DIR,
	COMPLETE_DEVICE,		/* the name of a chain */
	COMPLETE_DEVICE_OR_FILE,
};

/*
 * struct opt - an option.
 * @id: what the verb's function is given, see enum opt_id.
 * @name: after two dashes.
 * @also: another name for it, or NULL.
 * @letter: after one dash, or 0.
 * @value: what its value is called, in capitals; NULL if it takes none.
 * @complete: what completes the value.
 * @words: words that the value may be, or NULL.
 * @help: what it does; lines after the first are indented as it is.
 */
struct opt {
	int id;
	const char *name;
	const char *also;
	char letter;
	const char *value;
	enum complete complete;
	const char *words;
	const char *help;
};

/* An operand of the verb; the last one may be given several times. */
struct operand {
	const char *name;
	enum complete complete;
	const char *words;
	const char *help;		/* NULL: the name says enough */
	bool many;
};

/*
 * struct verb - a verb.
 * @usage: what follows the name, one string for each form; as in the man page.
 * @summary: one line, without a full stop.
 * @operands, @options: up to the first without a name, or NULL.
 * @details: more lines for the help, or NULL.
 * @examples: lines to type, or NULL.
 * @in_order: an option after the first operand is none.
 * @run: takes the verb's name as argv[0]. Returns an exit status: CC_OK, CC_FAILED after a message,
 * CC_USAGE for a wrong command line.
 */
struct verb {
	const char *name;
	const char *const *usage;
	const char *summary;
	const struct operand *operands;
	const struct opt *const *options;
	const char *details;
	const char *const *examples;
	bool in_order;
	int (*run)(int argc, char **argv);
};

/* Takes one option; value is NULL if it has none. Returns 0 or an exit status. */
typedef int (*take_option_fn)(int id, const char *value, void *args);

/*
 * Gives each option of the command line to take(); optind is the first operand afterwards. take may be
 * NULL for a verb without options.
 *
 * Return: 0, CC_USAGE for an option that the verb does not have, or what take() returned.
 */
int verb_parse(const struct verb *verb, int argc, char **argv, take_option_fn take, void *args);

#endif
