/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The verbs. Each takes its own name as argv[0] and returns an exit status: CC_OK, CC_FAILED after
 * saying why, CC_USAGE for a wrong command line.
 */
#ifndef COWCHAIN_COMMANDS_H
#define COWCHAIN_COMMANDS_H

#include <stddef.h>

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;	/* what follows the name */
	const char *summary;	/* one line */
	const char *help;	/* options, a line each */
};

extern const struct command commands[];
extern const size_t nr_commands;
const struct command *command_find(const char *name);

int cmd_create(int argc, char **argv);
int cmd_attach(int argc, char **argv);
int cmd_detach(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_snapshot(int argc, char **argv);
int cmd_copy(int argc, char **argv);
int cmd_base(int argc, char **argv);
int cmd_stream(int argc, char **argv);
int cmd_wait(int argc, char **argv);
int cmd_job(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_info(int argc, char **argv);

#endif
