// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "commands.h"
#include "util.h"

#define HELP_OUTPUT \
	"  --json           the same as JSON; sizes in bytes\n" \
	"  --noheadings     no heading line\n" \
	"  --bytes          sizes in bytes\n"

#define HELP_STREAM \
	"  --speed BYTES    limit per second; K, M, G may follow; 0: none\n" \
	"  --bandwidth N    the same in MiB per second (with --bytes: in bytes)\n" \
	"  --on-error P     report, stop, or enospc (stop when space runs out, else report)\n" \
	"  --wait           until the job is concluded, with a progress line (also: --verbose)\n" \
	"  --quiet          no progress line\n" \
	"  --timeout S      wait no longer than S seconds; the job goes on\n" \
	"  --force          although there may not be room for what is copied\n"

#define HELP_NEW_IMAGE \
	"  --data-file F    keep the guest's data in F, which is a plain raw disk once all is\n" \
	"                   streamed in\n" \
	"  --cluster-size N 128K (default) to 2M\n" \
	"  --reserve        allocate all of its space on the file system now\n"

const struct command commands[] = {
	{
		"create", cmd_create,
		"NEW [--backing FILE --format raw|qcow2] [--size SIZE] [--data-file FILE]",
		"make an image that is prepared for writing",
		"  --backing FILE   the layer below (short: -b)\n"
		"  --format F       format of FILE, never guessed: raw or qcow2 (also -F,\n"
		"                   --backing-format)\n"
		"  --size SIZE      size of the disk; K, M, G, T may follow; default: that of FILE\n"
		HELP_NEW_IMAGE
		"  --force          overwrite what exists; needed for block devices\n",
	}, {
		"attach", cmd_attach,
		"NAME TOP | NAME --layer KIND:FILE[,data=FILE]...",
		"make /dev/mapper/NAME of a chain",
		"  TOP              the active image; layers below it are found by their names\n"
		"  --layer SPEC     lists the layers instead, the base first; KIND is raw or qcow2\n"
		"  --allow-dir DIR  follow names into DIR, not only below an image's own directory\n"
		"  --backing-format F  where a header does not say the format of its backing file\n"
		"  --format F       format of TOP: qcow2 (default) or raw (with --read-only)\n"
		"  --read-only      nothing is written to any layer\n"
		"  --feature WORD   a feature of the target, may be repeated\n"
		"  --no-discard-passdown, --commit-ms N  such features\n"
		"  --no-auto-resume leave a stream alone that was interrupted\n"
		"  --allow-sealed   write to TOP although it is the backing file of another image\n"
		"  --ignore-identity  although a layer is another one than it was, or was written to\n"
		"  --pad            grow files to a multiple of 512 bytes\n"
		"  --no-lock        look at no image locks and take none\n",
	}, {
		"detach", cmd_detach,
		"NAME [--deferred | --force]",
		"remove the device, layers stay as they are",
		"  --deferred       if it is in use: when its last user closes it\n"
		"  --force          fail all I/O of its users; what was not flushed is lost\n",
	}, {
		"reload", cmd_reload,
		"NAME",
		"load the chain once more, after an error has made it read-only",
		"  Users go on. What was flushed is there; if anything was lost that was not, the\n"
		"  next flush fails.\n",
	}, {
		"snapshot", cmd_snapshot,
		"NAME NEW [--data-file FILE]",
		"put the new image NEW on top of the live chain",
		"  NEW              is made if it does not exist, else it must be empty and prepared,\n"
		"                   with the present top as its backing file\n"
		HELP_NEW_IMAGE
		"  --backing-file N name of the present top to write into NEW, or that is in it\n"
		"  --allow-dir DIR  where the data file of an existing NEW may be\n"
		"  --no-lock        look at no image locks and take none\n",
	}, {
		"base", cmd_base,
		"NAME LAYER|FILE|none",
		"select the base for the next stream",
		"  LAYER            number, 0 is the bottom\n"
		"  FILE             file or block device of the layer\n"
		"  none             nothing stays below the top: a complete copy\n",
	}, {
		"stream", cmd_stream,
		"NAME [--base LAYER|FILE|none] [--speed BYTES] [--wait]",
		"copy what lies between base and top into the top, then drop it",
		"  --base B         as for the verb base; default: what was selected, else none\n"
		HELP_STREAM
		"  --backing-file N, --backing-format F  what the top's header shall say afterwards\n",
	}, {
		"copy", cmd_copy,
		"NAME NEW [--data-file FILE] [--speed BYTES] [--wait]",
		"move the live disk to NEW: snapshot, then stream without a base",
		HELP_NEW_IMAGE
		HELP_STREAM
		"  --backing-file N, --allow-dir DIR, --no-lock  as for snapshot\n",
	}, {
		"wait", cmd_wait,
		"NAME [--quiet] [--timeout S]",
		"wait until the job is concluded",
		"  --quiet          no progress line\n"
		"  --timeout S      no longer than S seconds; the job goes on\n",
	}, {
		"job", cmd_job,
		"NAME pause|resume|cancel|speed N|info",
		"control the job",
		"  pause, resume    stop for a while\n"
		"  cancel           stop for good (also: abort); what was copied stays and counts\n"
		"  speed N          bytes per second; K, M, G may follow; 0: no limit\n"
		"  info             the job's line of status, with the same options\n",
	}, {
		"status", cmd_status,
		"[NAME...]",
		"show modes, allocation and jobs",
		HELP_OUTPUT,
	}, {
		"list", cmd_list,
		"",
		"show all chains",
		HELP_OUTPUT,
	}, {
		"info", cmd_info,
		"NAME|IMAGE",
		"show the layers of a device or of an image",
		"  --allow-dir DIR, --backing-format F, --format F  as for attach; of an image only\n"
		HELP_OUTPUT,
	},
};

const size_t nr_commands = ARRAY_SIZE(commands);

const struct command *command_find(const char *name)
{
	size_t i;

	for (i = 0; i < nr_commands; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}
