// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages, memory that never runs out without an exit, and strings.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

bool cc_debug_on;

static void say(const char *prefix, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static void say(const char *prefix, const char *fmt, va_list ap)
{
	/* Print pending output first, to keep the order if both go to one file. */
	fflush(stdout);
	fprintf(stderr, "cowchain: %s", prefix);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void cc_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}

void cc_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("note: ", fmt, ap);
	va_end(ap);
}

void cc_debug(const char *fmt, ...)
{
	va_list ap;

	if (!cc_debug_on)
		return;
	va_start(ap, fmt);
	say("debug: ", fmt, ap);
	va_end(ap);
}

int cc_usage(const char *verb, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
	fprintf(stderr, "Try 'cowchain help%s%s'.\n", verb ? " " : "", verb ? verb : "");
	return CC_USAGE;
}

static void out_of_memory(void) __attribute__((noreturn));

static void out_of_memory(void)
{
	fputs("cowchain: out of memory\n", stderr);
	exit(CC_FAILED);
}

void *xcalloc(size_t nr, size_t size)
{
	void *p = calloc(nr, size);

	if (!p)
		out_of_memory();
	return p;
}

void *xrealloc(void *ptr, size_t nr, size_t size)
{
	void *p = reallocarray(ptr, nr, size);

	if (!p)
		out_of_memory();
	return p;
}

char *xstrdup(const char *s)
{
	char *p = strdup(s);

	if (!p)
		out_of_memory();
	return p;
}

char *xstrndup(const char *s, size_t n)
{
	char *p = strndup(s, n);

	if (!p)
		out_of_memory();
	return p;
}

static char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

static char *xvasprintf(const char *fmt, va_list ap)
{
	char *p;

	if (vasprintf(&p, fmt, ap) < 0)
		out_of_memory();
	return p;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *p;

	va_start(ap, fmt);
	p = xvasprintf(fmt, ap);
	va_end(ap);
	return p;
}

void strbuf_add(struct strbuf *sb, const char *s)
{
	size_t len = strlen(s);

	if (sb->len + len + 1 > sb->room) {
		sb->room = 2 * (sb->len + len) + 64;
		sb->text = xrealloc(sb->text, sb->room, 1);
	}
	memcpy(sb->text + sb->len, s, len + 1);
	sb->len += len;
}

void strbuf_addf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = xvasprintf(fmt, ap);
	va_end(ap);
	strbuf_add(sb, s);
	free(s);
}

char *shell_word(const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "%+,-./:=@_";
	struct strbuf sb = { 0 };

	if (*text && !text[strspn(text, plain)])
		return xstrdup(text);
	strbuf_add(&sb, "'");
	for (; *text; text++)
		strbuf_addf(&sb, *text == '\'' ? "'\\%c'" : "%c", *text);
	strbuf_add(&sb, "'");
	return sb.text;
}
