// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target over what decides about names: which paths an image may have, the words of --layer, the
 * names in a header, and what is shown of all these. What is expected is computed in another way: paths as
 * lists of their components, texts by reading back what was made of them.
 *
 * The first byte of an input selects the part, the rest is for that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "chain.h"
#include "image.h"
#include "mounts.h"
#include "path.h"
#include "safe-text.h"
#include "util.h"

#define CHECK(x) ((x) ? (void)0 : fail(__LINE__, #x))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(int line, const char *what)
{
	fprintf(stderr, "fuzz-names.c:%d: %s\n", line, what);
	abort();
}

/* Longer ones have nothing new, and take long. */
#define TEXT_MAX 64

/* ---- bytes of the input, zeros behind its end ---- */

struct input {
	const uint8_t *data;
	size_t size;
};

static uint8_t byte(struct input *in)
{
	if (!in->size)
		return 0;
	in->size--;
	return *in->data++;
}

/* A string without NUL of what is left, at most max bytes. */
static char *text(struct input *in, size_t max)
{
	size_t len = in->size < max ? in->size : max;
	char *s = xcalloc(len + 1, 1);

	memcpy(s, in->data, len);
	s[strlen(s)] = '\0';
	in->data += len;
	in->size -= len;
	return s;
}

/* ---- paths ---- */

#define MAX_PARTS 6

struct parts {
	const char *part[MAX_PARTS];
	unsigned int nr;
};

/* A canonical path: of few components, so that paths meet often. */
static char *make_path(struct input *in, struct parts *parts)
{
	static const char *const words[] = { "dev", "a", "b", "devil", "a b", "de", "mapper", "..." };
	struct strbuf sb = { 0 };
	unsigned int i;

	parts->nr = byte(in) % (MAX_PARTS + 1);
	for (i = 0; i < parts->nr; i++) {
		parts->part[i] = words[byte(in) % ARRAY_SIZE(words)];
		strbuf_addf(&sb, "/%s", parts->part[i]);
	}
	if (!parts->nr)
		strbuf_add(&sb, "/");
	return sb.text;
}

static bool starts_with(const struct parts *path, const struct parts *dir)
{
	unsigned int i;

	for (i = 0; i < dir->nr; i++)
		if (i >= path->nr || strcmp(path->part[i], dir->part[i]))
			return false;
	return true;
}

static bool inside(const struct parts *path, const struct parts *dir)
{
	return path->nr > dir->nr && starts_with(path, dir);
}

static bool in_dev(const struct parts *path)
{
	return path->nr > 1 && !strcmp(path->part[0], "dev");
}

#define MAX_DIRS 3
#define MAX_NAMES 3

/* What is advised would allow it, and neither all files nor all disks. */
static void check_remedy(const struct path_case *c)
{
	char *remedy = path_remedy(c);
	struct allow_dirs allow = { &remedy, 1 };

	CHECK(!remedy || (strcmp(remedy, "/") && strcmp(remedy, "/dev") && path_allowed(c, &allow)));
	free(remedy);
}

static void paths(struct input *in)
{
	struct parts real, on_way[MAX_NAMES], own, dirs[MAX_DIRS];
	unsigned int flags = byte(in), nr = byte(in) % (MAX_DIRS + 1), nr_names = byte(in) % (MAX_NAMES + 1);
	unsigned int i, n;
	char *texts[MAX_DIRS];
	struct path_name names[MAX_NAMES];
	struct allow_dirs allow = { texts, nr };
	struct path_case c = { .block = flags & 1, .names = names, .nr_names = nr_names };
	char *real_text = make_path(in, &real);
	char *own_text = make_path(in, &own);
	bool want = false, given = false;

	for (n = 0; n < nr_names; n++)
		names[n] = (struct path_name){ make_path(in, &on_way[n]), flags & (4U << n) };
	c.real = real_text;
	c.own = flags & 2 ? own_text : NULL;
	for (i = 0; i < nr; i++) {
		texts[i] = make_path(in, &dirs[i]);
		given |= inside(&real, &dirs[i]);
		for (n = 0; n < nr_names; n++)
			want |= names[n].fixed && inside(&on_way[n], &dirs[i]);
	}
	/* Its own directory; but nothing in /dev belongs to what is above that or is it. */
	if (c.own && inside(&real, &own) && (!in_dev(&real) || in_dev(&own)))
		want = true;
	CHECK(path_below(real_text, own_text) == inside(&real, &own));
	CHECK(path_given(real_text, &allow) == given);
	CHECK(path_allowed(&c, &allow) == (want || given));
	check_remedy(&c);
	/* One directory more never takes anything away. */
	if (nr) {
		allow.nr--;
		CHECK(!path_allowed(&c, &allow) || want || given);
	}
	while (nr)
		free(texts[--nr]);
	while (nr_names)
		free(names[--nr_names].path);
	free(own_text);
	free(real_text);
}

/* ---- names and the words of --layer ---- */

static void check_parts(const char *name)
{
	char *dir = path_dir(name), *again;
	const char *base = path_base(name);
	const char *p;
	bool protocol = false;

	for (p = name; *p && *p != '/' && !protocol; p++)
		protocol = *p == ':';
	CHECK(path_has_protocol(name) == protocol);
	CHECK(!strchr(base, '/') && strlen(base) <= strlen(name));
	CHECK(!strcmp(name + strlen(name) - strlen(base), base));
	again = strchr(name, '/') ? xasprintf("%s/%s", dir, base) : xstrdup(base);
	CHECK(!strcmp(again, name) || !strcmp(dir, "/"));
	CHECK(strcmp(dir, "/") || (size_t)(base - name) == strspn(name, "/"));
	CHECK(strchr(name, '/') || !strcmp(dir, "."));
	free(again);
	free(dir);
}

static void specs(struct input *in)
{
	char *spec = text(in, TEXT_MAX), *copy = xstrdup(spec), *file = NULL, *data = NULL, *again;
	enum layer_kind kind;

	check_parts(spec);
	if (!chain_split_spec(copy, &kind, &file, &data)) {
		CHECK(*file && (!data || *data));
		CHECK(!strstr(file, ",data="));
		again = xasprintf("%s:%s%s%s", kind_name(kind), file, data ? ",data=" : "", data ? data : "");
		CHECK(!strcmp(again, spec));
		free(again);
	} else {
		/* No kind, no file, or a data file without a name. */
		const char *raw = !strncmp(spec, "raw:", 4) ? spec + 4 : NULL;
		const char *name = !strncmp(spec, "qcow2:", 6) ? spec + 6 : raw;

		CHECK(!name || !*name || !strncmp(name, ",data=", 6) ||
		      (strstr(name, ",data=") && !strstr(name, ",data=")[6]));
	}
	free(copy);
	free(spec);
}

/* ---- what is shown ---- */

/* Nothing but what can be shown: by bytes, as a terminal sees them. */
static void check_shown(const char *s)
{
	const uint8_t *p = (const uint8_t *)s;

	for (; *p; p++) {
		CHECK(*p >= ' ' && *p != 0x7f);
		CHECK(*p != 0xc2 || p[1] >= 0xa0);
		CHECK(*p != 0xe2 || p[1] != 0x80 ||
		      !((p[2] >= 0x8b && p[2] <= 0x8f) || (p[2] >= 0xa8 && p[2] <= 0xae)));
		CHECK(*p != 0xe2 || p[1] != 0x81 || p[2] < 0xa0 || p[2] > 0xaf);
		/* No continuation without a first byte, and no first byte without one. */
		if (*p >= 0x80) {
			unsigned int n = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : 1;

			CHECK(*p >= 0xc2 && *p <= 0xf4);
			for (; n; n--)
				CHECK((*++p & 0xc0) == 0x80);
		}
	}
}

/* The text that \xNN stand for. */
static void unescape(char *s)
{
	char *to = s, hex[3] = { 0 };

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] == 'x') {
			memcpy(hex, s + 2, 2);
			*to++ = (char)strtoul(hex, NULL, 16);
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* The text that a word of bash stands for: plain, '...', or $'...'. */
static char *unquote(const char *word)
{
	char *text = xcalloc(strlen(word) + 1, 1), *to = text, octal[4] = { 0 };
	bool bytes = !strncmp(word, "$'", 2), quoted = bytes;

	for (word += bytes ? 2 : 0; *word; word++) {
		if (bytes && *word == '\\' && word[1] == '\'') {
			*to++ = *++word;
		} else if (bytes && *word == '\\') {
			memcpy(octal, word + 1, 3);
			CHECK(strspn(octal, "01234567") == 3);
			*to++ = (char)strtoul(octal, NULL, 8);
			word += 3;
		} else if (*word == '\'') {
			quoted = !quoted;
		} else if (*word == '\\' && !quoted) {
			*to++ = *++word;
		} else {
			/* What is not quoted has no meaning for a shell. */
			CHECK(quoted || !strchr(" \t\n$`\"&|;<>()*?[]#~!{}", *word));
			*to++ = *word;
		}
	}
	CHECK(!quoted);
	return text;
}

static void shown(struct input *in)
{
	char *s = text(in, TEXT_MAX), *safe = xsafe_text(s), *again = xstrdup(safe);
	const char *word = shell_word(s);
	char *utf8 = xcalloc(SAFE_UTF8_ROOM(strlen(s)), 1), *json, *p;

	check_shown(safe);
	CHECK(safe_text_is(s) == !strcmp(s, safe));
	unescape(again);
	CHECK(!strcmp(again, s));
	free(again);
	again = unquote(word);
	CHECK(!strcmp(again, s));
	/* It stands in a message, which is made safe as a whole. */
	CHECK(safe_text_is(word));
	free(again);

	safe_utf8(utf8, s);
	for (p = utf8; *p; p++)
		if ((uint8_t)*p < ' ' || *p == '"' || *p == '\\')
			*p = '_';
	json = xcalloc(SAFE_JSON_ROOM(strlen(utf8)), 1);
	safe_json(json, utf8);
	check_shown(json);
	CHECK(!safe_text_is(utf8) || !strcmp(json, utf8));
	mounts_may_hang_in(s, "/a/b", 0);
	free(json);
	free(utf8);
	free(safe);
	free(s);
}

/* ---- names in headers ---- */

#define CLUSTER 65536U
#define AREA 104U
#define HEAD_MAX 4096U

static uint64_t be(const uint8_t *p, unsigned int len)
{
	uint64_t v = 0;

	while (len--)
		v = v << 8 | *p++;
	return v;
}

static void put(uint8_t *p, unsigned int len, uint64_t v)
{
	for (; len--; v >>= 8)
		p[len] = (uint8_t)v;
}

/* Is the name what stands at that place? */
static void check_name(const char *name, const uint8_t *at, uint64_t len)
{
	CHECK(strlen(name) == len && !memcmp(name, at, len));
}

static void check_names(const uint8_t *buf, const struct image *image)
{
	uint64_t backing = be(buf + 8, 8), len = be(buf + 16, 4), pos = AREA, bytes;
	uint64_t end = backing ? backing : CLUSTER;
	bool data = false;

	CHECK(!image->backing_name == !backing);
	CHECK(!image->data_name || be(buf + 72, 8) & 4);
	if (backing)
		check_name(image->backing_name, buf + backing, len);
	/* Of each kind, the last one counts. */
	for (; pos + 8 <= end && be(buf + pos, 4); pos += 8 + (bytes + 7) / 8 * 8) {
		const uint8_t *at = buf + pos + 8;

		bytes = be(buf + pos + 4, 4);
		if (be(buf + pos, 4) == 0x44415441) {
			data = be(buf + 72, 8) & 4;
			if (image->data_name && strlen(image->data_name) == bytes &&
			    !memcmp(image->data_name, at, bytes))
				data = false;
		}
		CHECK(pos + 8 + bytes <= end);
	}
	/* Cleared by the last one, if there was any. */
	CHECK(!data);
}

static void headers(struct input *in)
{
	static uint8_t buf[CLUSTER];
	unsigned int flags = byte(in);
	struct image image;
	size_t len;

	memset(buf, 0, AREA + HEAD_MAX);
	put(buf, 4, 0x514649fb);
	put(buf + 4, 4, 3);
	if (flags & 1) {
		put(buf + 8, 8, AREA + byte(in) * (flags & 2 ? 8U : 1U));
		put(buf + 16, 4, byte(in));
	}
	put(buf + 20, 4, 16);
	put(buf + 24, 8, 1 << 20);
	put(buf + 36, 4, 1);
	put(buf + 40, 8, 3 * CLUSTER);
	put(buf + 48, 8, CLUSTER);
	put(buf + 56, 4, 1);
	put(buf + 72, 8, flags & 4);
	put(buf + 96, 4, 4);
	put(buf + 100, 4, AREA);
	len = in->size < HEAD_MAX ? in->size : HEAD_MAX;
	memcpy(buf + AREA, in->data, len);
	if (!image_parse(buf, CLUSTER, "image", 100 * CLUSTER, &image)) {
		check_names(buf, &image);
		image_free(&image);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parts[])(struct input *in) = { paths, specs, shown, headers };
	struct input in = { data, size };

	/* Errors are expected. */
	cc_mute(true);
	parts[byte(&in) % ARRAY_SIZE(parts)](&in);
	return 0;
}
