/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All verbs, in the order of the overview.
 */
#ifndef COWCHAIN_VERBS_H
#define COWCHAIN_VERBS_H

#include "verb.h"

/* Each in its own file, cmd-VERB.c. */
extern const struct verb cmd_create, cmd_attach, cmd_detach, cmd_reload, cmd_record, cmd_snapshot, cmd_base,
	cmd_stream, cmd_copy, cmd_commit, cmd_wait, cmd_job, cmd_status, cmd_stats, cmd_top, cmd_list, cmd_tree,
	cmd_info, cmd_map, cmd_export;

/* Ends with NULL. */
extern const struct verb *const verbs[];
/* Returns NULL if there is no verb of this name. */
const struct verb *verb_find(const char *name);

#endif
