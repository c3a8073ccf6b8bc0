/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Helpers for all files of the tool: messages, memory, strings.
 */
#ifndef COWCHAIN_UTIL_H
#define COWCHAIN_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "macros.h"

#define SECTOR_SIZE 512

/* Exit status of the program; the last four are those of a wait for a job. */
enum {
	CC_OK = 0,
	CC_FAILED = 1,
	CC_USAGE = 2,
	CC_JOB_FAILED = 3,
	CC_JOB_CANCELLED = 4,
	CC_JOB_STOPPED = 5,	/* does not go on by itself */
	CC_TIMEOUT = 124,	/* as of timeout(1) */
};

/* Set by --debug. */
extern bool cc_debug_on;

/*
 * Print "cowchain: <text>\n" on stderr. The text names the file or device and, if there is one, the
 * remedy. It is made safe here, see safe-text.h. Names in commands to paste need shell_word().
 */
void cc_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Errors and notes of an attempt that may fail: they are not printed until it is over. Returns how it was before. */
bool cc_mute(bool mute);
/* Also call fn for each of them, with its text alone; NULL: for none. */
void cc_on_message(void (*fn)(bool error, const char *text));
/* Messages are printed when this ends: file systems are frozen meanwhile, and stderr may be a file on one. */
void cc_hold_messages(bool hold);
/* stderr has a line without its end, or has no longer: the end is printed then, and before a message. */
void cc_line_open(bool open);
void cc_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void cc_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* cc_error() and a line that points to the help of the verb. Returns CC_USAGE. */
int cc_usage(const char *verb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void out_of_memory(void) __attribute__((noreturn));
/* These never return NULL: without memory the program ends with status 1. */
void *xcalloc(size_t nr, size_t size) __attribute__((returns_nonnull));
void *xrealloc(void *ptr, size_t nr, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((returns_nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((returns_nonnull));
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/* For output other than messages: see safe-text.h. Caller frees. */
char *xsafe_text(const char *text) __attribute__((returns_nonnull));

/* A string that grows. Initialise with zeros; text is NULL until something is appended. */
struct strbuf {
	char *text;
	size_t len;
	size_t room;
};

void strbuf_add(struct strbuf *sb, const char *s);
void strbuf_addf(struct strbuf *sb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * text as a single word for a shell, quoted if necessary, and safe to be shown. Valid until a few more
 * of them were made: for the arguments of a message.
 */
const char *shell_word(const char *text) __attribute__((returns_nonnull));

#endif
