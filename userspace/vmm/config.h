/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file with options.
 */
#ifndef VMM_CONFIG_H
#define VMM_CONFIG_H

/*
 * Read a file in which each line is an option without its dashes, and a value after blanks if it has one. Empty lines
 * and those that begin with # are skipped. take() gets name and value ("" if there is none), which remain until the
 * program ends, and the number of the line. Returns 0 or -errno. Context: process, at the start.
 */
int config_read(const char *path, void (*take)(void *data, const char *name, char *value, unsigned int line),
		void *data);

#endif
