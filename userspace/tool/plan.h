/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --dry-run: lines of shell that would do what the verb does, in place of doing it. All that is checked before a change
 * is checked; the changes themselves, in loop.c, dm.c, dm-change.c, create.c and others, become lines here.
 */
#ifndef COWCHAIN_PLAN_H
#define COWCHAIN_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* From now on. */
void plan_begin(void);
bool plan_wanted(void);
/*
 * Add a line of these words, each quoted as it needs; the last one is NULL. In a word, blanks separate devices
 * from other texts.
 */
void plan_line(const char *word, ...) __attribute__((sentinel));
/* Add a line that is quoted already, and take it over. */
void plan_text(char *line);
/* "dmsetup message NAME 0 WORDS", quoted for dmsetup, too. */
void plan_message(const char *name, const char *const *words);
/*
 * Add a line that makes a loop device of the file. The number that is returned is that of no device, and stands for it
 * in other lines.
 */
dev_t plan_loop(const char *path, bool writable, bool direct_io);
/* Print the lines, or add them to the result: see result.h. ret: the exit status so far; what failed is no plan. */
void plan_end(int ret);

#endif
