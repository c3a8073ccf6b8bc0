// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parses the command line of the launcher, and files with options.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blk-request.h"
#include "config.h"
#include "number.h"
#include "options.h"
#include "util.h"

#ifndef VERSION
#define VERSION "unknown"
#endif

#define DEFAULT_MEMORY_MIB	512
#define DEFAULT_GRACE		60	/* systemd waits for 90 seconds */
#define MAX_SECONDS		(365 * 24 * 3600)
#define DEFAULT_CONSOLE_MIB	64
#define MAX_CONSOLE_MIB		(1024 * 1024)
#define MAX_MEMORY_MIB		(1024 * 1024)

static const char help[] =
"Usage: cowchain-vm --kernel BZIMAGE [OPTION]...\n"
"Runs a virtual machine whose disks are block devices or raw files.\n"
"\n"
"  --config FILE       options from a file, one a line, without dashes: memory 1024\n"
"  --kernel FILE       Linux kernel (bzImage, x86-64)\n"
"  --initrd FILE       initial RAM disk\n"
"  --append STRING     added to the command line, which is \"console=ttyS0 panic=-1\"\n"
"  --memory MIB        memory of the guest (default: 512)\n"
"  --cpus N            processors of the guest, 1 to 16 (default: 1)\n"
"  --disk PATH[,readonly][,serial=S][,rerror=E][,werror=E]\n"
"                      a disk, up to 8 times; the guest sees vda, vdb, ...; when a read\n"
"                      or write fails: report it, or stop (pause) the guest, or stop it if\n"
"                      there is no space: enospc (default: rerror=report, werror=enospc)\n"
"  --console stdio|file:FILE\n"
"                      where the guest's serial console is (default: stdio)\n"
"  --console-max MIB   size at which FILE starts over, 0 for no limit (default: 64)\n"
"  --timeout SECONDS   end the guest after that time\n"
"  --grace SECONDS     after SIGTERM, time for the guest to power off (default: 60)\n"
"  --no-reboot         end when the guest reboots\n"
"  --user USER[:GROUP] become that user, if root starts this (default: a user of its own)\n"
"  --no-sandbox        keep privileges and system calls, for debugging\n"
"  --help, --version\n"
"\n"
"Ctrl-A x ends the guest, Ctrl-A Ctrl-A sends one Ctrl-A.\n"
"SIGCONT continues a paused guest, SIGUSR1 tells it new sizes of its disks.\n"
"SIGTERM presses the guest's power button, a second one ends it.\n"
"Exit status: 0 guest powered off, 3 rebooted, 4 panicked, 5 crashed, 6 stopped from\n"
"outside, 124 timeout; 1 the launcher failed, 2 wrong usage.\n";

enum {
	OPT_KERNEL = 1, OPT_INITRD, OPT_APPEND, OPT_MEMORY, OPT_CPUS, OPT_DISK, OPT_CONSOLE,
	OPT_CONSOLE_MAX, OPT_TIMEOUT, OPT_GRACE, OPT_NO_REBOOT,
	OPT_USER, OPT_NO_SANDBOX, OPT_CONFIG, OPT_HELP, OPT_VERSION,
};

static const struct option long_options[] = {
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "initrd", required_argument, NULL, OPT_INITRD },
	{ "append", required_argument, NULL, OPT_APPEND },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "cpus", required_argument, NULL, OPT_CPUS },
	{ "disk", required_argument, NULL, OPT_DISK },
	{ "console", required_argument, NULL, OPT_CONSOLE },
	{ "console-max", required_argument, NULL, OPT_CONSOLE_MAX },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "grace", required_argument, NULL, OPT_GRACE },
	{ "no-reboot", no_argument, NULL, OPT_NO_REBOOT },
	{ "user", required_argument, NULL, OPT_USER },
	{ "no-sandbox", no_argument, NULL, OPT_NO_SANDBOX },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 },
};

/* The line that is parsed, if it is one of a file. */
static const char *config_file;
static unsigned int config_line;

static _Noreturn void wrong_usage(void)
{
	if (config_file)
		say("this is in %s, line %u", config_file, config_line);
	fputs("Try 'cowchain-vm --help'.\n", stderr);
	exit(END_USAGE);
}

static unsigned long parse_number(const char *name, const char *arg, unsigned long min,
				  unsigned long max)
{
	uint64_t val;

	if (parse_u64(arg, &val) || val < min || val > max) {
		say("--%s takes a number from %lu to %lu, not '%s'", name, min, max, arg);
		wrong_usage();
	}
	return val;
}

static int parse_on_error(enum blk_on_error *e, const char *word)
{
	static const char *const words[] = {
		[BLK_REPORT] = "report", [BLK_ENOSPC] = "enospc", [BLK_STOP] = "stop",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(word, words[i])) {
			*e = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Parse from the end, since a path may contain commas. */
int parse_disk(struct disk_option *d, char *arg)
{
	char *comma;
	int err = 0;

	*d = (struct disk_option) { .rerror = BLK_REPORT, .werror = BLK_ENOSPC };
	while ((comma = strrchr(arg, ','))) {
		if (!strcmp(comma + 1, "readonly"))
			d->readonly = true;
		else if (!strncmp(comma + 1, "serial=", 7))
			d->serial = comma + 8;
		else if (!strncmp(comma + 1, "rerror=", 7))
			err |= parse_on_error(&d->rerror, comma + 8);
		else if (!strncmp(comma + 1, "werror=", 7))
			err |= parse_on_error(&d->werror, comma + 8);
		else
			break;
		*comma = '\0';
	}
	d->path = arg;
	if (err || !*arg || (d->serial && (!*d->serial || strlen(d->serial) > BLK_ID_BYTES)))
		return -EINVAL;
	return 0;
}

static void add_disk(struct options *o, char *arg)
{
	if (o->ndisks == VM_MAX_DISKS) {
		say("there can be at most %u disks", VM_MAX_DISKS);
		wrong_usage();
	}
	if (parse_disk(&o->disk[o->ndisks++], arg)) {
		say("--disk takes PATH[,readonly][,serial=S][,rerror=E][,werror=E], S of 1 to %u characters, E of report, enospc, stop",
		    BLK_ID_BYTES);
		wrong_usage();
	}
}

static void set_console(struct options *o, const char *arg)
{
	if (!strncmp(arg, "file:", 5) && arg[5]) {
		o->console_file = arg + 5;
	} else if (strcmp(arg, "stdio")) {
		say("--console takes stdio or file:FILE, not '%s'", arg);
		wrong_usage();
	}
}

static void set_user(struct options *o, const char *arg)
{
	if (privileges_parse(&o->user, arg)) {
		say("--user takes USER[:GROUP], names or numbers, and not root; '%s' is none", arg);
		wrong_usage();
	}
}

static void read_config(struct options *o);

static void parse_option(struct options *o, int opt)
{
	switch (opt) {
	case OPT_KERNEL:
		o->kernel = optarg;
		break;
	case OPT_INITRD:
		o->initrd = optarg;
		break;
	case OPT_APPEND:
		o->append = optarg;
		break;
	case OPT_MEMORY:
		o->memory = parse_number("memory", optarg, 32, MAX_MEMORY_MIB) << 20;
		break;
	case OPT_CPUS:
		o->ncpus = parse_number("cpus", optarg, 1, VM_MAX_CPUS);
		break;
	case OPT_DISK:
		add_disk(o, optarg);
		break;
	case OPT_CONSOLE:
		set_console(o, optarg);
		break;
	case OPT_CONSOLE_MAX:
		o->console_max = parse_number("console-max", optarg, 0, MAX_CONSOLE_MIB) << 20;
		break;
	case OPT_TIMEOUT:
		o->supervisor.timeout = parse_number("timeout", optarg, 1, MAX_SECONDS);
		break;
	case OPT_GRACE:
		o->supervisor.grace = parse_number("grace", optarg, 0, MAX_SECONDS);
		break;
	case OPT_NO_REBOOT:
		o->supervisor.reboot = false;
		break;
	case OPT_USER:
		set_user(o, optarg);
		break;
	case OPT_NO_SANDBOX:
		o->sandbox = false;
		break;
	case OPT_CONFIG:
		read_config(o);
		break;
	case OPT_HELP:
		fputs(help, stdout);
		exit(0);
	case OPT_VERSION:
		puts("cowchain-vm " VERSION);
		exit(0);
	default:
		wrong_usage();
	}
}

static const struct option *find_option(const char *name)
{
	const struct option *opt;

	for (opt = long_options; opt->name; opt++)
		if (!strcmp(opt->name, name))
			return opt->val == OPT_CONFIG || opt->val == OPT_HELP || opt->val == OPT_VERSION ? NULL : opt;
	return NULL;
}

/* An option in a file is what it is on the command line, without dashes. */
static void take_config(void *data, const char *name, char *value, unsigned int line)
{
	const struct option *opt = find_option(name);

	config_line = line;
	if (!opt) {
		say("no such option: '%s'", name);
		wrong_usage();
	}
	if (!*value != (opt->has_arg == no_argument)) {
		say("'%s' %s", name, *value ? "takes no value" : "needs a value");
		wrong_usage();
	}
	optarg = value;
	parse_option(data, opt->val);
}

static void read_config(struct options *o)
{
	const char *file = optarg;
	int err;

	config_file = file;
	err = config_read(file, take_config, o);
	config_file = NULL;
	if (err) {
		say("cannot read %s: %s", file, strerror(-err));
		exit(END_ERROR);
	}
}

void options_parse(struct options *o, int argc, char **argv)
{
	int opt;

	*o = (struct options) {
		.memory = (uint64_t)DEFAULT_MEMORY_MIB << 20,
		.ncpus = 1,
		.append = "",
		.console_max = (uint64_t)DEFAULT_CONSOLE_MIB << 20,
		.sandbox = true,
		.supervisor = { .grace = DEFAULT_GRACE, .reboot = true },
	};
	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		parse_option(o, opt);
	if (optind < argc) {
		say("unexpected argument '%s'", argv[optind]);
		wrong_usage();
	}
	if (!o->kernel) {
		say("--kernel is needed");
		wrong_usage();
	}
}
