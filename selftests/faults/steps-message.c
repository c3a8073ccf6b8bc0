// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultwalk: steps that send a message to the target.
 */
#include <stdio.h>
#include <string.h>

#include "dm.h"
#include "step.h"
#include "steps-message.h"

static int do_message(struct walk *w, const struct step *s)
{
	(void)w;
	return dm_message(NAME, "%s", s->text);
}

/* If the second step fails, nothing is left of the first. */
static int do_in_two(struct walk *w, const struct step *s)
{
	int err = dm_message(NAME, "snapshot-prepare %s", s->text + strlen("snapshot "));

	(void)w;
	return err ? err : dm_message(NAME, "snapshot-commit");
}

static bool message(struct walk *w, const char *text, step_fn fn, step_fn how)
{
	struct step s = { .flags = S_WRITES | S_SYNC, .fn = fn, .text = text };
	bool job = !strncmp(text, "stream", 6) || !strncmp(text, "commit", 6);
	char what[544];
	struct hit h;

	if (w->dev < 0)
		return false;
	snprintf(what, sizeof(what), "message %s", text);
	s.what = what;
	/*
	 * The record of a running job in the header matters only after a crash; and a job that has
	 * just begun may meet the fault before the message has returned.
	 */
	if (job || !strncmp(text, "job-", 4))
		s.flags |= S_HIDES;
	if (!strncmp(text, "job-", 4))
		s.flags |= S_JOB;
	if (!strncmp(text, "snapshot", 8))
		s.flags |= S_FRESH;
	fault_look(w->fault.kind, &h);
	/* not a snapshot: a stream that it finds may have met the fault already */
	if (job)
		w->job_mark = h.failed;
	if (how(w, &s))
		return false;
	w->shared |= job;
	return true;
}

bool step_message(struct walk *w, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return message(w, text, do_message, step_run);
}

bool step_message_once(struct walk *w, const char *text)
{
	return message(w, text, do_message, step_once);
}

bool step_snapshot_in_two(struct walk *w, const char *text)
{
	return message(w, text, do_in_two, step_run);
}
