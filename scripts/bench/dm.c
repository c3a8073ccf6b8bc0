// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures the activation of a device and the length of a job. Uses the ioctls of dmsetup create,
 * message and wait directly, because starting dmsetup would take most of the time.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "dm.h"
#include "util.h"

#define BUFFER	(64 << 10)

static int control;

static struct dm_ioctl *request(const char *name)
{
	static struct dm_ioctl *dm;

	if (!dm) {
		dm = xalloc(BUFFER);
		control = open("/dev/mapper/control", O_RDWR);
		if (control < 0)
			die("/dev/mapper/control: %s", strerror(errno));
	}
	memset(dm, 0, BUFFER);
	dm->version[0] = DM_VERSION_MAJOR;
	dm->data_size = BUFFER;
	dm->data_start = sizeof(*dm);
	snprintf(dm->name, sizeof(dm->name), "%s", name);
	return dm;
}

static void call(unsigned long command, struct dm_ioctl *dm, const char *what)
{
	if (ioctl(control, command, dm))
		die("%s: %s: %s", dm->name, what, strerror(errno));
}

/* LINE is "0 SECTORS TARGET PARAMETERS". */
static void load(const char *name, const char *line)
{
	struct dm_ioctl *dm = request(name);
	struct dm_target_spec *spec = (void *)((char *)dm + dm->data_start);
	char *params = (char *)(spec + 1);
	int used;

	dm->target_count = 1;
	if (sscanf(line, "%llu %llu %15s %n", &spec->sector_start, &spec->length,
		   spec->target_type, &used) != 3 ||
	    strlen(line + used) >= BUFFER - sizeof(*dm) - sizeof(*spec))
		die("not a table: %s", line);
	strcpy(params, line + used);
	spec->next = sizeof(*spec) + (strlen(params) + 8) / 8 * 8;
	call(DM_TABLE_LOAD, dm, "load");
}

/*
 * activate TIMES TABLE: create and remove the device; print the least of nanoseconds. The others
 * include whatever work of the last removal the kernel did meanwhile.
 */
void cmd_activate(int argc, char **argv)
{
	uint64_t took, least = UINT64_MAX, begin;
	int times, i;

	if (argc != 3)
		die("usage: activate TIMES TABLE");
	times = number(argv[1]);
	call(DM_VERSION, request(""), "version");	/* touches the buffer */
	for (i = 0; i < times; i++) {
		begin = now_ns();
		call(DM_DEV_CREATE, request("bench-activate"), "create");
		load("bench-activate", argv[2]);
		call(DM_DEV_SUSPEND, request("bench-activate"), "resume");
		took = now_ns() - begin;
		if (took < least)
			least = took;
		call(DM_DEV_REMOVE, request("bench-activate"), "remove");
	}
	printf("%lu 0\n", least);
}

static void status(const char *name, char *text, size_t size)
{
	struct dm_ioctl *dm = request(name);

	call(DM_TABLE_STATUS, dm, "status");
	snprintf(text, size, "%s", (char *)dm + dm->data_start + sizeof(struct dm_target_spec));
}

static uint32_t event_nr(const char *name)
{
	struct dm_ioctl *dm = request(name);

	call(DM_DEV_STATUS, dm, "status");
	return dm->event_nr;
}

/*
 * job DEVICE MESSAGE DONE MIB: send the message and wait until the status contains DONE; print the
 * nanoseconds per MiB
 */
void cmd_job(int argc, char **argv)
{
	struct dm_target_msg *msg;
	struct dm_ioctl *dm;
	uint64_t begin;
	char text[4096];
	uint32_t event;

	if (argc != 5)
		die("usage: job DEVICE MESSAGE DONE MIB");
	begin = now_ns();
	event = event_nr(argv[1]);
	dm = request(argv[1]);
	msg = (void *)((char *)dm + dm->data_start);
	strcpy(msg->message, argv[2]);
	call(DM_TARGET_MSG, dm, "message");
	for (;;) {
		status(argv[1], text, sizeof(text));
		if (strstr(text, argv[3]))
			break;
		dm = request(argv[1]);
		dm->event_nr = event;
		call(DM_DEV_WAIT, dm, "wait");
		event = event_nr(argv[1]);
	}
	printf("%.1f 0\n", (double)(now_ns() - begin) / number(argv[4]));
}
