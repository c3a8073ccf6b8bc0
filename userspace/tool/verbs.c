// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of verbs. Each is described in its own file, cmd-VERB.c.
 */
#include <stddef.h>
#include <string.h>

#include "verbs.h"

const struct verb *const verbs[] = {
	&cmd_create, &cmd_attach, &cmd_detach, &cmd_reload, &cmd_snapshot, &cmd_base, &cmd_stream,
	&cmd_record, &cmd_commit, &cmd_copy, &cmd_wait, &cmd_job, &cmd_status, &cmd_stats, &cmd_top, &cmd_list, &cmd_tree, &cmd_info,
	&cmd_map, &cmd_export, NULL,
};

const struct verb *verb_find(const char *name)
{
	const struct verb *const *verb;

	for (verb = verbs; *verb; verb++)
		if (!strcmp((*verb)->name, name))
			return *verb;
	return NULL;
}
