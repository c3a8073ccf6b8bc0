// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes the parts of units that depend on a line of the table. The rest is in cowchain@.service.in.
 *
 * Units that mount /dev/mapper/NAME wait for its device unit, which needs the chain's service. systemd also orders them
 * behind blockdev@dev-mapper-NAME.target. The service is before that, and stops it with itself, so that it is stopped
 * after they are unmounted, at shutdown and at any other time. The device unit cannot stand between them: it is stopped
 * only when the device is gone.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "memory.h"
#include "unit-name.h"
#include "units.h"

#define DROP_IN	"50-cowchaintab.conf"

/* The names of the units of an entry. */
struct names {
	char *service;
	char *device;
	char *blockdev;
};

static void names_make(struct names *names, const char *name)
{
	char *node = format("/dev/mapper/%s", name);
	char *instance = unit_escape(name), *path = unit_escape_path(node);

	names->service = format("cowchain@%s.service", instance);
	names->device = format("%s.device", path);
	names->blockdev = format("blockdev@%s.target", path);
	free(path);
	free(instance);
	free(node);
}

static void names_free(struct names *names)
{
	free(names->service);
	free(names->device);
	free(names->blockdev);
}

/* A word in a list of a unit. systemd expands % everywhere, and $ in commands. */
static void put_word(FILE *out, const char *word, bool command)
{
	fputs(" \"", out);
	for (; *word; word++) {
		if (*word == '"' || *word == '\\')
			fputc('\\', out);
		if (*word == '%' || (*word == '$' && command))
			fputc(*word, out);
		fputc(*word, out);
	}
	fputc('"', out);
}

static int make_dir(const char *dir)
{
	if (!mkdir(dir, 0755) || errno == EEXIST)
		return 0;
	log_error("%s: cannot make the directory: %s", dir, strerror(errno));
	return -1;
}

/* Begin a drop-in of a unit. Returns NULL after a message. */
static FILE *drop_in_open(const struct units *units, const char *unit, unsigned int line)
{
	char *dir = format("%s/%s.d", units->dir, unit), *name = format("%s/" DROP_IN, dir);
	FILE *out = NULL;

	if (!make_dir(dir)) {
		out = fopen(name, "we");
		if (!out)
			log_error("%s: cannot write: %s", name, strerror(errno));
		else
			fprintf(out, "# Made by cowchain-generator of %s, line %u.\n[Unit]\n", units->tab, line);
	}
	free(name);
	free(dir);
	return out;
}

static int drop_in_close(FILE *out, const char *unit)
{
	bool bad = ferror(out);

	if (!fclose(out) && !bad)
		return 0;
	log_error("cannot write a part of %s: %s", unit, strerror(errno));
	return -1;
}

/* Have unit depend on another one, whose file this is. kind: wants or requires */
static int link_to(const struct units *units, const char *unit, const char *kind, const char *other, const char *file)
{
	char *dir = format("%s/%s.%s", units->dir, unit, kind), *name = format("%s/%s", dir, other);
	char *target = format(UNITDIR "/%s", file);
	int ret = make_dir(dir);

	if (!ret && symlink(target, name) && errno != EEXIST) {
		log_error("%s: cannot make the link: %s", name, strerror(errno));
		ret = -1;
	}
	free(target);
	free(name);
	free(dir);
	return ret;
}

static const char *target_of(const struct tab_entry *entry)
{
	return entry->netdev ? "remote-cowchain.target" : "cowchain.target";
}

static void put_order(FILE *out, const struct tab_entry *entry, const struct names *names)
{
	fprintf(out, "Wants=%s\nBefore=%s\nPropagatesStopTo=%s\n", names->blockdev, names->blockdev, names->blockdev);
	if (!entry->nofail && !entry->noauto)
		fprintf(out, "Before=%s\n", target_of(entry));
	if (entry->netdev)
		fputs("Wants=network-online.target\nAfter=network-online.target remote-fs-pre.target\n", out);
	/* What the initrd has attached may carry the root, which stays mounted until the end. */
	if (!entry->in_initrd)
		fputs("Conflicts=umount.target\nBefore=umount.target\n", out);
}

/* A device has to be there, and a file's file system. Whether a device is held later is not the service's business. */
static void put_needs(FILE *out, const struct tab_entry *entry)
{
	char *device;
	size_t i;

	if (!strncmp(entry->top, "/dev/", 5)) {
		device = unit_escape_path(entry->top);
		fprintf(out, "Wants=%s.device\nAfter=%s.device\n", device, device);
		free(device);
	} else {
		fputs("RequiresMountsFor=", out);
		put_word(out, entry->top, false);
		fputc('\n', out);
	}
	for (i = 0; i < entry->mounts.nr; i++) {
		fputs("RequiresMountsFor=", out);
		put_word(out, entry->mounts.word[i], false);
		fputc('\n', out);
	}
}

static void put_command(FILE *out, const struct tab_entry *entry)
{
	size_t i;

	fputs("[Service]\nExecStart=" SBINDIR "/cowchain attach", out);
	for (i = 0; i < entry->args.nr; i++)
		put_word(out, entry->args.word[i], true);
	fputs(" --", out);
	put_word(out, entry->name, true);
	put_word(out, entry->top, true);
	fputc('\n', out);
}

static int write_service(const struct units *units, const struct tab_entry *entry, const struct names *names,
			 unsigned int line)
{
	FILE *out = drop_in_open(units, names->service, line);

	if (!out)
		return -1;
	fprintf(out, "SourcePath=%s\n", units->tab);
	put_order(out, entry, names);
	put_needs(out, entry);
	put_command(out, entry);
	return drop_in_close(out, names->service);
}

/*
 * systemd waits for the device while the chain is attached, which may take longer than its usual 90 seconds. The name of
 * the file sorts before 50-device-timeout.conf, in which x-systemd.device-timeout of fstab comes and counts.
 */
static int write_device(const struct units *units, const struct names *names, unsigned int line)
{
	FILE *out = drop_in_open(units, names->device, line);

	if (!out)
		return -1;
	fprintf(out, "Requires=%s\nJobRunningTimeoutSec=10min\n", names->service);
	return drop_in_close(out, names->device);
}

static int write_target(const struct units *units, const struct tab_entry *entry, const struct names *names)
{
	const char *target = target_of(entry);

	if (entry->noauto)
		return 0;
	if (link_to(units, target, entry->nofail ? "wants" : "requires", names->service, "cowchain@.service"))
		return -1;
	return link_to(units, entry->netdev ? "multi-user.target" : "sysinit.target", "wants", target, target);
}

int units_write(const struct units *units, const struct tab_entry *entry, unsigned int line)
{
	struct names names;
	int ret = -1;

	names_make(&names, entry->name);
	if (!unit_name_fits(names.service) || !unit_name_fits(names.blockdev))
		log_error("%s:%u: the name is too long for a unit of systemd", units->tab, line);
	else if (!write_service(units, entry, &names, line) && !write_device(units, &names, line))
		ret = write_target(units, entry, &names);
	names_free(&names);
	return ret;
}
