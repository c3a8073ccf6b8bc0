// SPDX-License-Identifier: GPL-2.0-only
/*
 * The helpers, and the commonest calls of dmsetup, as commands of bash itself: "enable -f
 * builtins.so cowio ...". Where instructions are emulated, most of a test's time would go into
 * process starts.
 *
 * Each helper is its program's main(), compiled with -Dmain=NAME_main -Dexit=leave: the shell
 * continues, and what main() left open is closed.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "builtins.h"
#include "dmsetup.h"
#include "files.h"
#include "leave.h"

/* What bash's headers say about commands that are loaded. */
struct word_desc {
	char *word;
	int flags;
};

struct word_list {
	struct word_list *next;
	struct word_desc *word;
};

struct builtin {
	const char *name;
	int (*function)(struct word_list *list);
	int flags;
	const char *const *long_doc;
	const char *short_doc;
	char *handle;
};

#define BUILTIN_ENABLED	1
#define FIRST_FD	3
#define FDS		64	/* the shell's own are among these, or far above */

static const char *const no_doc[] = { NULL };

static uint64_t open_fds(void)
{
	uint64_t set = 0;
	int fd;

	for (fd = FIRST_FD; fd < FDS; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			set |= 1ULL << fd;
	return set;
}

static int run(const char *name, int (*entry)(int argc, char **argv), struct word_list *list)
{
	uint64_t before = open_fds();
	struct word_list *l;
	uint64_t left;
	char **argv;
	int argc = 1;
	int rc;

	for (l = list; l; l = l->next)
		argc++;
	argv = calloc(argc + 1, sizeof(*argv));
	if (!argv)
		return 2;
	argv[0] = (char *)name;
	for (argc = 1, l = list; l; l = l->next)
		argv[argc++] = l->word->word;
	optind = 0;
	rc = call_main(entry, argc, argv);
	fflush(stdout);
	for (left = open_fds() & ~before; left; left &= left - 1)
		close(__builtin_ctzll(left));
	free(argv);
	return rc;
}

#define BUILTIN(cmd)							\
static int run_##cmd(struct word_list *list)				\
{									\
	return run(#cmd, cmd##_main, list);				\
}									\
									\
__attribute__((visibility("default"))) struct builtin cmd##_struct = {	\
	.name = #cmd,							\
	.function = run_##cmd,						\
	.flags = BUILTIN_ENABLED,					\
	.long_doc = no_doc,						\
	.short_doc = #cmd,						\
};

#include "builtins-list.h"
