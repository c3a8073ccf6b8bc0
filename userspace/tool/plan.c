// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines of shell that would do what a verb does.
 *
 * The numbers of loop devices that do not exist yet are not known, so they are variables of the shell. Their place is
 * held by numbers of no block device, with the major number 0.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "plan.h"
#include "result.h"
#include "target.h"
#include "util.h"

static struct {
	bool wanted;
	char **lines;
	size_t nr_lines;
	unsigned int nr_loops;
} plan;

void plan_begin(void)
{
	plan.wanted = true;
}

bool plan_wanted(void)
{
	return plan.wanted;
}

void plan_text(char *line)
{
	plan.lines = xrealloc(plan.lines, plan.nr_lines + 1, sizeof(*plan.lines));
	plan.lines[plan.nr_lines++] = line;
}

/* Does it begin with the number of a planned loop device, of *len bytes? */
static bool is_planned(const char *text, size_t *len)
{
	unsigned int number;
	int end = 0;

	if (sscanf(text, "0:%u%n", &number, &end) != 1 || !end || (text[end] && text[end] != ' '))
		return false;
	*len = (size_t)end;
	return number < plan.nr_loops;
}

/* The next word of a text, with the blanks before it. */
static const char *next_word(const char *at)
{
	return at + strspn(at, " ");
}

static bool has_planned(const char *text)
{
	size_t len;

	for (text = next_word(text); *text; text = next_word(text + strcspn(text, " ")))
		if (is_planned(text, &len))
			return true;
	return false;
}

/* In double quotes, with variables. Only texts of tables and messages come here, which a terminal can show. */
static void add_quoted(struct strbuf *sb, const char *text)
{
	bool begins = true;
	char c[] = { 0, 0 };
	size_t len;

	strbuf_add(sb, "\"");
	while ((c[0] = *text)) {
		if (begins && is_planned(text, &len)) {
			strbuf_addf(sb, "$loop%.*s", (int)len - 2, text + 2);
			text += len;
			continue;
		}
		if (strchr("\"$`\\", *text))
			strbuf_add(sb, "\\");
		strbuf_add(sb, c);
		begins = *text++ == ' ';
	}
	strbuf_add(sb, "\"");
}

static void add_word(struct strbuf *sb, const char *word)
{
	if (sb->len)
		strbuf_add(sb, " ");
	if (has_planned(word))
		add_quoted(sb, word);
	else
		strbuf_add(sb, shell_word(word));
}

void plan_line(const char *word, ...)
{
	struct strbuf sb = { 0 };
	va_list ap;

	va_start(ap, word);
	for (; word; word = va_arg(ap, const char *))
		add_word(&sb, word);
	va_end(ap);
	plan_text(sb.text);
}

void plan_message(const char *name, const char *const *words)
{
	struct strbuf sb = { 0 };

	strbuf_addf(&sb, "dmsetup message %s 0", shell_word(name));
	for (; *words; words++) {
		const char *one[] = { *words, NULL };
		char *quoted = message_join(one);

		add_word(&sb, quoted);
		free(quoted);
	}
	plan_text(sb.text);
}

dev_t plan_loop(const char *path, bool writable, bool direct_io)
{
	plan_text(xasprintf("loop%u=$(losetup --find --show %s%s--sector-size %d %s)", plan.nr_loops,
			   writable ? "" : "--read-only ", direct_io ? "--direct-io=on " : "", SECTOR_SIZE,
			   shell_word(path)));
	return makedev(0, plan.nr_loops++);
}

/* In use, it then vanishes with its last user. */
static void let_loops_go(void)
{
	unsigned int i;

	for (i = 0; i < plan.nr_loops; i++)
		plan_text(xasprintf("losetup --detach \"$loop%u\"", i));
}

static void print(void)
{
	struct json *json = result_json();
	size_t i;

	if (json)
		json_array(json, "commands");
	for (i = 0; i < plan.nr_lines; i++)
		if (json)
			json_text(json, NULL, plan.lines[i]);
		else
			puts(plan.lines[i]);
	if (json)
		json_end(json);
}

void plan_end(int ret)
{
	if (ret == CC_OK) {
		let_loops_go();
		print();
	}
	while (plan.nr_lines)
		free(plan.lines[--plan.nr_lines]);
	free(plan.lines);
	memset(&plan, 0, sizeof(plan));
}
