/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Symbolic links on the way from a name to a file, and who decides where they lead.
 */
#ifndef COWCHAIN_PATH_LINKS_H
#define COWCHAIN_PATH_LINKS_H

#include <stdbool.h>
#include <stddef.h>

/* A name on the way: the first one, or what a link with the name before leads to. */
struct path_name {
	char *path;	/* in its canonical directory */
	bool fixed;	/* leads to the file, and only root (or who runs the program) decides that */
};

struct path_names {
	struct path_name *names;
	size_t nr;
};

/*
 * Find the names on the way from path, which is absolute, to real, which is canonical. If somebody exchanges
 * links meanwhile, there may be names that do not lead to real, but none of these is fixed. Free with
 * path_links_free().
 */
void path_links_find(const char *path, const char *real, struct path_names *names);
void path_links_free(struct path_names *names);

#endif
