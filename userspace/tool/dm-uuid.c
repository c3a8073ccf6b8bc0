// SPDX-License-Identifier: GPL-2.0-only
/*
 * UUIDs of devices, and what they say.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "dm-uuid.h"
#include "dm.h"
#include "util.h"

#define HOST "HOST-"

char *dm_uuid_new(const struct dm_marks *marks)
{
	struct strbuf sb = { 0 };
	uint8_t random[16];
	size_t i;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		memset(random, 0, sizeof(random));
	strbuf_addf(&sb, DM_UUID_PREFIX "%s", marks->host ? HOST : "");
	if (marks->owned)
		strbuf_addf(&sb, "u%u-g%u-m%o-", marks->uid, marks->gid, marks->mode);
	for (i = 0; i < sizeof(random); i++)
		strbuf_addf(&sb, "%02x", random[i]);
	return sb.text;
}

/* Behind "part1-"; *number gets it, or 0. */
static const char *skip_part(const char *uuid, unsigned int *number)
{
	int len = 0;

	if (sscanf(uuid, "part%u-%n", number, &len) == 1 && len)
		return uuid + len;
	*number = 0;
	return uuid;
}

void dm_uuid_marks(const char *uuid, struct dm_marks *marks)
{
	unsigned int number;

	memset(marks, 0, sizeof(*marks));
	uuid = skip_part(uuid, &number);
	if (strncmp(uuid, DM_UUID_PREFIX, strlen(DM_UUID_PREFIX)))
		return;
	uuid += strlen(DM_UUID_PREFIX);
	marks->host = !strncmp(uuid, HOST, strlen(HOST));
	if (marks->host)
		uuid += strlen(HOST);
	marks->owned = sscanf(uuid, "u%u-g%u-m%o-", &marks->uid, &marks->gid, &marks->mode) == 3;
}

unsigned int dm_uuid_partition(const char *uuid, const char *disk)
{
	unsigned int number;

	return *disk && !strcmp(skip_part(uuid, &number), disk) ? number : 0;
}
