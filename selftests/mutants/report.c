// SPDX-License-Identifier: GPL-2.0-only
/*
 * mutantwalk: messages about the current mutant.
 */
#include <stdio.h>

#include "report.h"

static const char *const kind_name[KINDS] = {
	"nothing", "header bits", "header fields", "extensions", "identity", "L1", "L2",
	"many L2 entries", "refcounts", "bytes", "sizes", "compressed clusters", "length",
};

void mutant_describe(const struct mutant *m, char *text, size_t len)
{
	snprintf(text, len, "mutant %llu: %s of %s%s, %s over %s, %s",
		 (unsigned long long)m->seed, kind_name[m->kind], m->target->file,
		 m->live ? " while in use" : "", m->top ? m->top->file : "nothing", m->mid->file,
		 m->writable ? "writable" : "read-only");
}

void worker_fail(struct worker *w, const char *fmt, ...)
{
	char text[256], why[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (w->m.target)
		mutant_describe(&w->m, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "worker %u", w->id);
	printf("# FAILED: %s: %s\n", text, why);
	fflush(stdout);
	w->pulse->failed = true;
}
