// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parses numbers and sizes; formats sizes and times.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "number.h"

/* Like strtoull(), but refuses a sign, leading blanks and an empty string. */
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

	/* 1023.95 and more would be printed as 1024.0 of the smaller unit. */
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
