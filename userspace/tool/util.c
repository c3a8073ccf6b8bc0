// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages, memory that never runs out without an exit, and strings.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "safe-text.h"
#include "util.h"

/* How many results of shell_word() remain valid. */
#define WORDS 8

bool cc_debug_on;
static bool muted;
static bool holding;
static struct strbuf held;

void out_of_memory(void)
{
	/* stderr may be a file on a file system that is frozen until the program ends. */
	if (!holding)
		fputs("cowchain: out of memory\n", stderr);
	exit(CC_FAILED);
}

static char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

static char *xvasprintf(const char *fmt, va_list ap)
{
	char *p;

	if (vasprintf(&p, fmt, ap) < 0)
		out_of_memory();
	return p;
}

void cc_line_open(bool open)
{
	static bool is_open;

	if (is_open && !open)
		fputc('\n', stderr);
	is_open = open;
}

static void (*on_message)(bool error, const char *text);

static void say(const char *prefix, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* All of the text: what comes from outside is somewhere in it, and a message has one line. */
static void say(const char *prefix, const char *fmt, va_list ap)
{
	char *text = xvasprintf(fmt, ap), *safe = xsafe_text(text);

	if (on_message && strcmp(prefix, "debug: "))
		on_message(!*prefix, text);
	if (holding) {
		strbuf_addf(&held, "cowchain: %s%s\n", prefix, safe);
	} else {
		/* Print pending output first, to keep the order if both go to one file. */
		fflush(stdout);
		cc_line_open(false);
		fprintf(stderr, "cowchain: %s%s\n", prefix, safe);
	}
	free(safe);
	free(text);
}

void cc_on_message(void (*fn)(bool error, const char *text))
{
	on_message = fn;
}

void cc_hold_messages(bool hold)
{
	holding = hold;
	if (hold || !held.text)
		return;
	fflush(stdout);
	fputs(held.text, stderr);
	free(held.text);
	memset(&held, 0, sizeof(held));
}

void cc_error(const char *fmt, ...)
{
	va_list ap;

	if (muted && !cc_debug_on)
		return;
	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}

void cc_note(const char *fmt, ...)
{
	va_list ap;

	if (muted && !cc_debug_on)
		return;
	va_start(ap, fmt);
	say("note: ", fmt, ap);
	va_end(ap);
}

bool cc_mute(bool mute)
{
	bool before = muted;

	muted = mute;
	return before;
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

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *p;

	va_start(ap, fmt);
	p = xvasprintf(fmt, ap);
	va_end(ap);
	return p;
}

char *xsafe_text(const char *text)
{
	char *safe = xcalloc(SAFE_TEXT_ROOM(strlen(text)), 1);

	safe_text(safe, text);
	return safe;
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

/* As $'...' of bash: in that, a terminal gets nothing but what it can show. */
static void quote_bytes(struct strbuf *sb, const char *text)
{
	strbuf_add(sb, "$'");
	for (; *text; text++) {
		if (*text == '\'')
			strbuf_add(sb, "\\'");
		else if (*text == '\\' || *text < ' ' || *text > '~')
			strbuf_addf(sb, "\\%03o", (unsigned char)*text);
		else
			strbuf_addf(sb, "%c", *text);
	}
	strbuf_add(sb, "'");
}

static void quote(struct strbuf *sb, const char *text)
{
	char c[] = { 0, 0 };

	strbuf_add(sb, "'");
	for (; (c[0] = *text); text++)
		strbuf_add(sb, *text == '\'' ? "'\\''" : c);
	strbuf_add(sb, "'");
}

const char *shell_word(const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "%+,-./:=@_";
	static char *words[WORDS];
	static unsigned int next;
	struct strbuf sb = { 0 };

	if (!safe_text_is(text))
		quote_bytes(&sb, text);
	else if (!*text || text[strspn(text, plain)])
		quote(&sb, text);
	else
		strbuf_add(&sb, text);
	next = (next + 1) % WORDS;
	free(words[next]);
	words[next] = sb.text;
	return sb.text;
}
