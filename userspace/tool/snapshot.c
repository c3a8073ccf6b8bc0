// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes a snapshot: makes the new top, or checks an existing one, and hands it to the kernel.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "create.h"
#include "devno.h"
#include "hold.h"
#include "loop.h"
#include "options.h"
#include "snapshot-limits.h"
#include "snapshot-make.h"
#include "snapshot.h"
#include "space-check.h"
#include "util.h"

const struct opt opt_backing_file = {
	.id = OPT_BACKING_FILE,
	.name = "backing-file",
	.value = "NAME",
	.complete = COMPLETE_FILE,
	.help = "name of the present top to write into NEW, or that is in it",
};

const struct opt opt_data_dir = {
	.id = OPT_ALLOW_DIR,
	.name = "allow-dir",
	.letter = 'a',
	.value = "DIR",
	.complete = COMPLETE_DIR,
	.help = "where the data file of an existing NEW may be",
};

const char snapshot_new_help[] = "is made if it does not exist, or on a block device without contents;\n"
				 "else it must be empty and prepared, with the present top as its\n"
				 "backing file";

const struct operand snapshot_operands[] = {
	{ "NAME", .complete = COMPLETE_DEVICE },
	{ "NEW", .complete = COMPLETE_FILE, .help = snapshot_new_help },
	{ 0 },
};

void snapshot_init(struct snapshot *snap)
{
	memset(snap, 0, sizeof(*snap));
	snap->cluster_size = DEFAULT_CLUSTER_SIZE;
}

void snapshot_free(struct snapshot *snap)
{
	allow_dirs_free(&snap->opt.allow);
}

int snapshot_option(const char *verb, int id, const char *value, struct snapshot *snap)
{
	switch (id) {
	case OPT_DATA_FILE:
		snap->data_file = value;
		return 0;
	case OPT_CLUSTER_SIZE:
		return take_cluster_size(verb, value, &snap->cluster_size);
	case OPT_RESERVE:
		snap->reserve = true;
		return 0;
	case OPT_BACKING_FILE:
		snap->backing_file = value;
		return 0;
	case OPT_ALLOW_DIR:
		return allow_dirs_add(&snap->opt.allow, value) ? CC_FAILED : 0;
	default:			/* OPT_NO_LOCK */
		snap->opt.no_lock = true;
		return 0;
	}
}

int snapshot_take_operands(const char *verb, int argc, char **argv, struct snapshot *snap)
{
	if (argc - optind != 2)
		return cc_usage(verb, "a device and the new image are needed");
	snap->name = argv[optind];
	snap->image = argv[optind + 1];
	return 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode))
		return S_ISBLK(b->st_mode) && a->st_rdev == b->st_rdev;
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* Does a name in the header lead to that file? It is only looked at, so it may be anywhere. */
static bool name_leads_to(const struct layer *layer, const char *name, const char *file)
{
	char *dir = path_dir(layer->file.path);
	char *path = name[0] == '/' ? xstrdup(name) : xasprintf("%s/%s", dir, name);
	struct stat have, want;
	bool same = !stat(path, &have) && !stat(file, &want) && same_file(&have, &want);

	free(path);
	free(dir);
	return same;
}

/* Does the header name the present top or, with --backing-file, contain that name? */
static bool names_top(const struct snapshot *snap, const struct layer *layer, const char *top)
{
	const char *name = layer->image.backing_name;

	if (!name || snap->backing_file)
		return name && !strcmp(name, snap->backing_file);
	return name_leads_to(layer, name, top);
}

/* An existing image must name the present top: that is how the chain is found later. */
static int check_backing(const struct snapshot *snap, const struct live *live,
			 const struct layer *layer, const char *top)
{
	const char *name = layer->image.backing_name;
	const char *want = snap->backing_file ? snap->backing_file : top;
	const char *kind = kind_name(live->table.layers[live_top(live)].kind);
	const char *format = layer->image.backing_format;
	char *command;

	if (names_top(snap, layer, top) && (!format || !strcmp(format, kind)))
		return 0;
	command = image_rebase_command(layer->file.path, want, kind);
	cc_error("%s: its backing file is '%s' (%s), but the top of the chain is %s (%s): name a new file, or change it: %s",
		 layer->file.path, name ? name : "", format ? format : "no format", want, kind,
		 command);
	free(command);
	return -1;
}

/* With --data-file, the header of an existing image must name that file: attach looks there. */
static int check_data(const struct layer *layer, const char *data_file)
{
	const char *name = layer->image.data_name;

	if (name && name_leads_to(layer, name, data_file))
		return 0;
	cc_error("%s: its data file is %s, not %s", layer->file.path, name ? name : "none",
		 data_file);
	return -1;
}

static int check_new(const struct snapshot *snap, const struct live *live, const char *top,
		     bool existed, struct layer *layer)
{
	if (layer_size(layer) != live->dev.sectors * SECTOR_SIZE) {
		cc_error("%s: its size of %" PRIu64 " bytes differs from that of %s, %" PRIu64,
			 snap->image, layer_size(layer), live->dev.name,
			 live->dev.sectors * SECTOR_SIZE);
		return -1;
	}
	if (snap->data_file && check_data(layer, snap->data_file))
		return -1;
	if (existed && check_backing(snap, live, layer, top))
		return -1;
	if (layer->image.ident.sealed) {
		cc_error("%s: has become the backing file of another image: name a new file",
			 layer->file.path);
		return -1;
	}
	return layer_check_writable(layer, "name a file that does not exist, which will be made prepared") ||
	       layer_check_length(layer, &snap->opt) ? -1 : 0;
}

/*
 * Those who may read the disk, and write to it, are the same as before. Up to here, nobody else could
 * change what was made.
 */
static void give_away(const struct created *made, const struct live *live)
{
	char *path = NULL;
	struct stat st;
	dev_t dev;
	int fd;

	if (!made->image.path || devno_parse(live->table.layers[live_top(live)].dev, &dev))
		return;
	/* Of a block device, the permissions are those of a node, which anybody may have made. */
	fd = loop_open_file(dev, &path);
	if (fd >= 0 && !fstat(fd, &st)) {
		new_file_give(&made->image, &st);
		new_file_give(&made->data, &st);
	}
	if (fd >= 0)
		close(fd);
	free(path);
}

/* What is on a block device may be of no use to anybody. */
static void note_force(const struct snapshot *snap, const struct created *made)
{
	struct stat st;

	if (!made->image.path && !stat(snap->image, &st) && S_ISBLK(st.st_mode))
		cc_note("%s: has an image already: --force makes a new one in its place", snap->image);
}

/* Open NEW as it is on disk, made by us or by the user. */
static int open_new(const struct snapshot *snap, const struct live *live, const char *top,
		    const struct created *made, struct layer *layer)
{
	int ret = create_open(made, snap->image, snap->data_file, &snap->opt, layer);

	/* It is made as it has to be. */
	if (!ret && layer->planned)
		return 0;
	if (!ret && !check_new(snap, live, top, !made->image.path, layer)) {
		give_away(made, live);
		return 0;
	}
	if (!ret)
		layer_close(layer);
	note_force(snap, made);
	return -1;
}

/* Open or make the image of NEW. made is empty or has what was made. */
static int get_ready(struct snapshot_new *new)
{
	const struct snapshot *snap = new->snap;
	int ret;

	if (!snapshot_has_image(snap) && snapshot_make(snap, new->live, new->top, &new->made))
		return -1;
	ret = open_new(snap, new->live, new->top, &new->made, &new->layer);
	if (ret) {
		create_undo(&new->made);
		return ret;
	}
	ret = snap->check_space && !new->layer.planned ? space_check_copy(new->live, &new->layer) : 0;
	/* From then on, flushes of the guest are promises about these files. */
	if (!ret)
		ret = create_sync(&new->made);
	create_let_go(&new->made);
	if (ret)
		snapshot_end(new, false);
	return ret;
}

int snapshot_ready(const struct snapshot *snap, const struct live *live, struct snapshot_new *new)
{
	int ret;

	memset(new, 0, sizeof(*new));
	new->snap = snap;
	new->live = live;
	new->top = snap->backing_file ? live_lasting_file(live, live_top(live)) :
					live_file_needed(live, live_top(live));
	if (!new->top && !snap->backing_file)
		return -1;
	if (live_has_file(live, snap->image)) {
		cc_error("%s: is already a layer of %s: name a new file", snap->image,
			 live->dev.name);
		ret = -1;
	} else {
		ret = get_ready(new);
	}
	if (ret) {
		free(new->top);
		new->top = NULL;
	}
	return ret;
}

/*
 * The last step that can be undone. The message names only the devices of NEW: its header names the
 * layer below.
 */
int snapshot_send(struct snapshot_new *new, const char *message)
{
	struct layer *layer = &new->layer;
	const char *words[] = { message, kind_name(layer->kind), NULL, NULL, NULL };
	char *dev, *data;
	int ret;

	if (layer_attach(layer, new->snap->opt.no_lock) ||
	    snapshot_check_limits(new->snap, new->live, layer, new->top) ||
	    live_check_top(new->live) || hold_interrupted())
		return -1;
	dev = devno_format(layer->file.dev);
	data = layer->data.path ? devno_format(layer->data.dev) : xstrdup("-");
	words[2] = dev;
	words[3] = data;
	ret = dm_message(new->live->dev.name, words);
	if (ret == -EBUSY)
		layer_say_users(layer);
	free(dev);
	free(data);
	return ret;
}

void snapshot_end(struct snapshot_new *new, bool taken)
{
	layer_close(&new->layer);
	if (taken)
		create_done(&new->made);
	else
		create_undo(&new->made);
	free(new->top);
	new->top = NULL;
}

int snapshot_take(const struct snapshot *snap, const struct live *live)
{
	struct snapshot_new new;
	int ret = snapshot_ready(snap, live, &new);

	if (ret)
		return ret;
	ret = snapshot_send(&new, "snapshot");
	snapshot_end(&new, !ret);
	return ret;
}
