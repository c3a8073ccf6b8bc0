// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells the stream of a chain which parts are to be copied first.
 */
#include <inttypes.h>
#include <stdio.h>

#include "dm.h"
#include "parts-send.h"
#include "plan.h"
#include "util.h"

/* As many as one message may have. */
#define PARTS_A_MESSAGE 32
#define NUMBER_LEN 24

struct message {
	unsigned int nr;
	char text[2 * PARTS_A_MESSAGE][NUMBER_LEN];
	const char *words[2 * PARTS_A_MESSAGE + 2];
};

static void add_number(struct message *message, uint64_t number)
{
	snprintf(message->text[message->nr], NUMBER_LEN, "%" PRIu64, number);
	message->words[message->nr + 1] = message->text[message->nr];
	message->words[++message->nr + 1] = NULL;
}

/* Whole sectors, inside of what the job goes over. */
static void add_part(struct message *message, const struct part *part, uint64_t len)
{
	uint64_t from = part->offset / SECTOR_SIZE, end = (part->offset + part->length + SECTOR_SIZE - 1) / SECTOR_SIZE;

	if (end > len / SECTOR_SIZE)
		end = len / SECTOR_SIZE;
	if (from >= end)
		return;
	add_number(message, from);
	add_number(message, end - from);
}

static bool is_over(const char *name)
{
	struct target_status status;

	return dm_status(name, &status) || !status.job.present || job_concluded(&status.job);
}

/* Returns 0, also if a job that has just ended does not need it, or a negative errno. It is empty afterwards. */
static int send(const char *name, struct message *message)
{
	int ret = message->nr ? dm_message(name, message->words) : 0;

	message->nr = 0;
	return ret && is_over(name) ? 0 : ret;
}

/* What the job goes over, in bytes; nothing is left out of a plan. */
static uint64_t job_len(const char *name)
{
	struct target_status status;

	if (plan_wanted() || dm_status(name, &status) || !status.job.present)
		return INT64_MAX;
	return status.job.len;
}

static int send_all(const char *name, const struct part *part, size_t nr, size_t *sent)
{
	struct message message = { .nr = 0, .words = { "job-first" } };
	uint64_t len = job_len(name);
	size_t i;
	int ret;

	for (i = 0; i < nr; i++) {
		add_part(&message, &part[i], len);
		if (message.nr < 2 * PARTS_A_MESSAGE && i < nr - 1)
			continue;
		ret = send(name, &message);
		if (ret)
			return ret;
		*sent = i + 1;
	}
	return 0;
}

int parts_send(const char *name, const struct part *part, size_t nr, size_t *sent)
{
	bool muted = cc_mute(true);
	int ret;

	*sent = 0;
	ret = nr ? send_all(name, part, nr, sent) : 0;
	cc_mute(muted);
	return ret;
}
