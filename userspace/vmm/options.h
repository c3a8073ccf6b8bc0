/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command line.
 */
#ifndef VMM_OPTIONS_H
#define VMM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "blk.h"
#include "privileges.h"
#include "supervisor.h"
#include "vm.h"

struct disk_option {
	char *path;
	const char *serial;		/* or NULL */
	bool readonly;
	enum blk_on_error rerror, werror;
};

struct options {
	const char *kernel;
	const char *initrd;
	const char *append;
	const char *console_file;	/* NULL: stdin and stdout */
	uint64_t console_max;		/* bytes of that file, 0: no limit */
	uint64_t memory;		/* bytes */
	unsigned int ncpus;
	struct supervisor supervisor;
	bool sandbox;
	struct privileges user;
	unsigned int ndisks;
	struct disk_option disk[VM_MAX_DISKS];
};

/*
 * Parse the command line. Exits after --help or --version, and with END_USAGE after a message about
 * a wrong one.
 */
void options_parse(struct options *o, int argc, char **argv);

/* Parse PATH[,readonly][,serial=S][,rerror=E][,werror=E] in place. Returns 0 or -EINVAL. */
int parse_disk(struct disk_option *d, char *arg);

#endif
