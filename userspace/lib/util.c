// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "util.h"

bool cc_debug_on;

static void say(const char *prefix, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static void say(const char *prefix, const char *fmt, va_list ap)
{
	/* What was printed for the user comes first, also when both end up in one file. */
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

/* Like strtoull(), but a sign or leading blank is an error and so is an empty string. */
static int parse_digits(const char *s, uint64_t *out, const char **end)
{
	char *stop;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	*out = strtoull(s, &stop, 10);
	if (errno)
		return -errno;
	*end = stop;
	return 0;
}

int parse_u64(const char *s, uint64_t *out)
{
	const char *end;
	int ret = parse_digits(s, out, &end);

	if (ret)
		return ret;
	return *end ? -EINVAL : 0;
}

int parse_size(const char *s, uint64_t *out)
{
	static const char units[] = "KMGTP";
	const char *end, *unit;
	unsigned int shift;
	int ret = parse_digits(s, out, &end);

	if (ret)
		return ret;
	if (!*end)
		return 0;
	if (!strcasecmp(end, "b"))
		return 0;
	unit = strchr(units, toupper((unsigned char)*end));
	if (!unit || (end[1] && strcasecmp(end + 1, "ib")))
		return -EINVAL;
	shift = 10 * (unsigned int)(unit - units + 1);
	if (*out > UINT64_MAX >> shift)
		return -ERANGE;
	*out <<= shift;
	return 0;
}

char *human_size(uint64_t bytes, char buf[HUMAN_LEN])
{
	static const char units[] = "BKMGTPE";
	unsigned int i = 0;
	double v = (double)bytes;

	/* 1023.95 would be printed as 1024.0 of the smaller unit. */
	while (v >= 1023.95) {
		v /= 1024;
		i++;
	}
	if (v == (double)(uint64_t)v)
		snprintf(buf, HUMAN_LEN, "%" PRIu64 "%c", (uint64_t)v, units[i]);
	else
		snprintf(buf, HUMAN_LEN, "%.1f%c", v, units[i]);
	return buf;
}

char *human_time(uint64_t seconds, char buf[HUMAN_LEN])
{
	unsigned int min = (unsigned int)(seconds / 60 % 60);
	unsigned int sec = (unsigned int)(seconds % 60);
	uint64_t hours = seconds / 3600;

	if (hours > 9999)
		snprintf(buf, HUMAN_LEN, "forever");
	else if (hours)
		snprintf(buf, HUMAN_LEN, "%" PRIu64 ":%02u:%02u", hours, min, sec);
	else
		snprintf(buf, HUMAN_LEN, "%02u:%02u", min, sec);
	return buf;
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

ssize_t pread_full(int fd, void *buf, size_t len, off_t off)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, off + (off_t)done);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}
