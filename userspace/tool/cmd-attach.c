// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain attach: makes a device of a chain.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain-record.h"
#include "chain.h"
#include "dm-change.h"
#include "dm.h"
#include "hold.h"
#include "interrupted.h"
#include "node.h"
#include "number.h"
#include "options.h"
#include "overlay.h"
#include "partitions.h"
#include "result.h"
#include "util.h"
#include "verbs.h"

static const char *const usage[] = {
	"NAME TOP [--overlay NEW] ...",
	"NAME --layer KIND:FILE[,data=FILE]... [--overlay NEW] ...",
	NULL,
};

static const struct operand operands[] = {
	{ .name = "NAME" },
	{ "TOP", .complete = COMPLETE_FILE,
	  .help = "the active image; layers below it are found by their names" },
	{ 0 },
};

enum {
	OPT_LAYER = OPT_OWN,
	OPT_READ_ONLY,
	OPT_FEATURE,
	OPT_NO_DISCARD,
	OPT_COMMIT_MS,
	OPT_NO_AUTO_RESUME,
	OPT_ALLOW_SEALED,
	OPT_IGNORE_IDENTITY,
	OPT_PAD,
	OPT_OVERLAY,
	OPT_HOST,
	OPT_OWNER,
	OPT_MODE,
	OPT_PARTITIONS,
};

static const struct opt opt_layer = {
	.id = OPT_LAYER,
	.name = "layer",
	.letter = 'l',
	.value = "SPEC",
	.complete = COMPLETE_FILE,
	.help = "list the layers instead, the base first, each as\n"
		"KIND:FILE[,data=FILE]; KIND is raw or qcow2",
};

static const struct opt opt_read_only = {
	.id = OPT_READ_ONLY,
	.name = "read-only",
	.also = "readonly",
	.letter = 'r',
	.help = "nothing is written to any layer",
};

static const struct opt opt_feature = {
	.id = OPT_FEATURE,
	.name = "feature",
	.letter = 'o',
	.value = "WORD",
	.help = "a feature of the target; may be repeated",
};

static const struct opt opt_no_discard_passdown = {
	.id = OPT_NO_DISCARD,
	.name = "no-discard-passdown",
	.help = "such a feature: do not pass discards down",
};

static const struct opt opt_commit_ms = {
	.id = OPT_COMMIT_MS,
	.name = "commit-ms",
	.value = "N",
	.help = "such a feature: commit changes after N milliseconds at most",
};

static const struct opt opt_no_auto_resume = {
	.id = OPT_NO_AUTO_RESUME,
	.name = "no-auto-resume",
	.help = "do not continue an interrupted stream",
};

static const struct opt opt_allow_sealed = {
	.id = OPT_ALLOW_SEALED,
	.name = "allow-sealed",
	.help = "write to TOP although it is the backing file of another image",
};

static const struct opt opt_ignore_identity = {
	.id = OPT_IGNORE_IDENTITY,
	.name = "ignore-identity",
	.help = "although a layer was replaced or written to",
};

static const struct opt opt_pad = {
	.id = OPT_PAD,
	.name = "pad",
	.help = "grow a top that was cut off to a multiple of 512 bytes; other\n"
		"layers are used as they are, whatever their length",
};

static const struct opt opt_overlay = {
	.id = OPT_OVERLAY,
	.name = "overlay",
	.letter = 'O',
	.value = "NEW",
	.complete = COMPLETE_FILE,
	.help = "make the prepared image NEW on top of TOP, which may be any image\n"
		"or raw disk and is not written, and attach that",
};

static const struct opt opt_host = {
	.id = OPT_HOST,
	.name = "host",
	.help = "what is on the disk is the host's: links in /dev/disk, LVM, units",
};

static const struct opt opt_owner = {
	.id = OPT_OWNER,
	.name = "owner",
	.value = "USER[:GROUP]",
	.help = "who owns the node",
};

static const struct opt opt_mode = {
	.id = OPT_MODE,
	.name = "mode",
	.value = "MODE",
	.help = "its mode, with --owner; default: 0600",
};

static const struct opt opt_partitions = {
	.id = OPT_PARTITIONS,
	.name = "partitions",
	.help = "a device of each partition, too: NAME1, NAME2...",
};

static const struct opt *const options[] = {
	&opt_layer, &opt_allow_dir, &opt_backing_format, &opt_format, &opt_read_only, &opt_feature,
	&opt_no_discard_passdown, &opt_commit_ms, &opt_no_auto_resume, &opt_allow_sealed,
	&opt_ignore_identity, &opt_pad, &opt_no_lock, &opt_overlay, NEW_IMAGE_OPTIONS, &opt_size,
	&opt_overwrite, &opt_host, &opt_owner, &opt_mode, &opt_partitions, &opt_dry_run, &opt_json, NULL,
};

static const char *const examples[] = {
	"cowchain attach vm vm.qcow2",
	"cowchain attach vm debian.qcow2 --overlay vm.qcow2 --size 20G",
	"cowchain attach vm --layer raw:/dev/vg/base --layer qcow2:vm.qcow2",
	NULL,
};

struct args {
	struct layer_options opt;
	struct table table;		/* features, later the layers */
	const char **specs;		/* of --layer */
	size_t nr_specs;
	struct overlay overlay;
	char *overlay_command;		/* for opt.overlay */
	char *raw_command;		/* for opt.as_raw */
	bool kind_given;
	enum layer_kind kind;		/* of the top */
	struct dm_marks marks;
	bool partitions;
	const char *owner;
	const char *mode;
	const char *name;
	const char *top;
};

static void add_feature(struct args *args, const char *word)
{
	table_add_feature(&args->table, xstrdup(word));
}

/* Words of a table line are separated by blanks, so a feature must not contain any. */
static int take_feature(struct args *args, const char *word)
{
	const char *p = word;

	while (isgraph((unsigned char)*p) && *p != '\\')
		p++;
	if (!word[0] || *p)
		return cc_usage("attach", "--feature '%s': must be one word", word);
	add_feature(args, word);
	return 0;
}

static int take_commit_ms(struct args *args, const char *number)
{
	uint64_t ms;

	if (parse_u64(number, &ms))
		return cc_usage("attach", "--commit-ms %s: must be a number", number);
	add_feature(args, "commit_ms");
	add_feature(args, number);
	return 0;
}

static void take_layer(struct args *args, const char *spec)
{
	args->specs = xrealloc(args->specs, args->nr_specs + 1, sizeof(*args->specs));
	args->specs[args->nr_specs++] = spec;
}

/* Options that add a feature of the target. */
static const char *feature_word(int id)
{
	switch (id) {
	case OPT_NO_DISCARD:
		return "no_discard_passdown";
	case OPT_NO_AUTO_RESUME:
		return "no_auto_resume";
	case OPT_ALLOW_SEALED:
		return "allow_sealed";
	default:
		return "ignore_identity";
	}
}

static int take_option(int id, const char *value, void *data)
{
	struct args *args = data;

	switch (id) {
	case OPT_LAYER:
		take_layer(args, value);
		return 0;
	case OPT_ALLOW_DIR:
		return allow_dirs_add(&args->opt.allow, value) ? CC_FAILED : 0;
	case OPT_BACKING_FORMAT:
		args->opt.have_backing_format = true;
		return take_kind("attach", "backing-format", value, &args->opt.backing_format);
	case OPT_FORMAT:
		args->kind_given = true;
		return take_kind("attach", "format", value, &args->kind);
	case OPT_READ_ONLY:
		args->opt.read_only = true;
		return 0;
	case OPT_FEATURE:
		return take_feature(args, value);
	case OPT_COMMIT_MS:
		return take_commit_ms(args, value);
	case OPT_PAD:
		args->opt.pad = true;
		return 0;
	case OPT_NO_LOCK:
		args->opt.no_lock = true;
		return 0;
	case OPT_OVERLAY:
		args->overlay.image = value;
		return 0;
	case OPT_HOST:
		args->marks.host = true;
		return 0;
	case OPT_PARTITIONS:
		args->partitions = true;
		return 0;
	case OPT_OWNER:
		args->owner = value;
		return 0;
	case OPT_MODE:
		args->mode = value;
		return 0;
	case OPT_DATA_FILE:
	case OPT_CLUSTER_SIZE:
	case OPT_RESERVE:
	case OPT_SIZE:
	case OPT_FORCE:
		return overlay_option(id, value, &args->overlay);
	default:
		add_feature(args, feature_word(id));
		return 0;
	}
}

/* The file of the last --layer, for a name beside it; NULL if that is malformed. Caller frees. */
static char *last_file(const struct args *args)
{
	char *spec = xstrdup(args->specs[args->nr_specs - 1]), *file, *data, *copy = NULL;
	enum layer_kind kind;

	if (!chain_split_spec(spec, &kind, &file, &data))
		copy = xstrdup(file);
	free(spec);
	return copy;
}

static char *overlay_option_words(const struct args *args)
{
	char *file = args->nr_specs ? last_file(args) : xstrdup(args->top);
	char *words = overlay_words(file ? file : "new");

	free(file);
	return words;
}

/* What to type if the top turns out not to be prepared, or to be no qcow2 image. */
static void make_commands(struct args *args, char **argv, int nr_operands)
{
	bool need_overlay = !args->opt.read_only && !args->overlay.image;
	char *words = need_overlay ? overlay_option_words(args) : xstrdup("");
	char *raw = xasprintf("--format raw%s%s", need_overlay ? " " : "", words);
	int nr_options = optind - 1;

	if (need_overlay)
		args->overlay_command = overlay_command(argv, nr_options, nr_operands, words);
	if (!args->nr_specs && !args->kind_given)
		args->raw_command = overlay_command(argv, nr_options, nr_operands, raw);
	args->opt.overlay = args->overlay_command;
	args->opt.as_raw = args->raw_command;
	free(raw);
	free(words);
}

static int parse(int argc, char **argv, struct args *args)
{
	int ret, left;

	args->kind = KIND_QCOW2;
	args->opt.can_pad = true;
	ret = verb_parse(&cmd_attach, argc, argv, take_option, args);
	if (ret)
		return ret;
	left = argc - optind;
	if (left != (args->nr_specs ? 1 : 2))
		return cc_usage("attach", "a name and the top image are needed, or a name and --layer for each layer");
	args->name = dm_name(argv[optind]);
	args->top = argv[optind + 1];
	ret = take_device_name("attach", args->name);
	if (!ret)
		ret = node_take_owner(args->owner, args->mode, &args->marks);
	if (ret)
		return ret;
	if (args->overlay.image && args->opt.read_only)
		return cc_usage("attach", "--overlay makes a top to be written: it does not go together with --read-only");
	make_commands(args, argv, left);
	return overlay_check(&args->overlay);
}

static int build(struct args *args, struct chain *chain)
{
	size_t i;
	int ret = 0;

	/* Nothing is written but a new top. */
	if (args->overlay.image)
		args->opt.read_only = true;
	if (!args->nr_specs)
		return chain_follow(chain, args->top, args->kind, &args->opt) ? CC_FAILED : 0;
	for (i = 0; !ret && i < args->nr_specs; i++)
		ret = chain_add_spec(chain, args->specs[i], i + 1 == args->nr_specs, &args->opt);
	return ret < 0 ? CC_FAILED : ret;
}

/* That of the top comes first, as in the kernel. */
static void say_jobs(const struct args *args, const struct chain *chain)
{
	bool waits = table_has_feature(&args->table, "no_auto_resume");
	unsigned int i;

	if (q2_ident_has_job(&chain_top(chain)->image.ident)) {
		interrupted_job(args->name, &chain_top(chain)->image.ident.job, waits);
		return;
	}
	for (i = 0; i + 1 < chain->nr; i++) {
		if (!q2_ident_has_lower(&chain->layers[i].image.ident))
			continue;
		interrupted_lower(args->name, &chain->layers[i].image.ident.job, i, waits);
		return;
	}
}

/* The device stays only if they do. */
static int make_partitions(const char *name)
{
	struct dm_device dev;
	int ret = partitions_make(name);

	if (ret && !dm_open(name, &dev)) {
		dm_remove(&dev, 0);
		dm_close(&dev);
	}
	return ret;
}

static int make_device(const struct args *args, uint64_t size, const char *line)
{
	struct dm_new new = {
		.name = args->name,
		.sectors = size / SECTOR_SIZE,
		.params = line,
		.read_only = args->opt.read_only,
		.marks = args->marks,
	};
	int ret = dm_create(&new);

	if (!ret && args->marks.owned)
		node_give(args->name, &args->marks);
	if (!ret && args->partitions)
		ret = make_partitions(args->name);
	return ret;
}

static int activate(struct args *args, struct chain *chain)
{
	struct chain_record record;
	unsigned int i;
	char *line;
	int ret;

	args->opt.allow_sealed = table_has_feature(&args->table, "allow_sealed");
	args->opt.ignore_identity = table_has_feature(&args->table, "ignore_identity");
	if (chain_check(chain, &args->opt))
		return CC_FAILED;
	if (!args->opt.ignore_identity && chain_check_record(chain))
		return CC_FAILED;
	chain_record_prepare(chain, &args->opt, &record);
	if (chain_attach(chain, &args->opt)) {
		chain_record_finish(&record, false);
		return CC_FAILED;
	}
	chain_to_table(chain, &args->table);
	line = table_format(&args->table);
	hold_begin();
	ret = make_device(args, layer_disk_size(chain_top(chain)), line);
	hold_end();
	free(line);
	chain_record_finish(&record, !ret);
	if (!ret && !args->opt.read_only)
		say_jobs(args, chain);
	for (i = 0; ret == -EBUSY && i < chain->nr; i++)
		layer_say_users(&chain->layers[i]);
	return ret ? CC_FAILED : CC_OK;
}

/* The new top stays only if the device does. */
static int make_and_activate(struct args *args, struct chain *chain)
{
	struct created made;
	int ret;

	hold_begin();
	args->opt.read_only = false;
	ret = overlay_make(&args->overlay, chain, &args->opt, &made) ? CC_FAILED : CC_OK;
	if (!ret) {
		ret = activate(args, chain);
		if (ret)
			create_undo(&made);
		else
			create_done(&made);
	}
	hold_end();
	return ret;
}

static void add_result(const struct args *args, const struct chain *chain)
{
	const struct layer *top = chain_top(chain);
	char *node = xasprintf("/dev/mapper/%s", args->name);

	result_text("device", node);
	result_text("image", top->file.real ? top->file.real : top->file.path);
	result_number("layers", chain->nr);
	result_number("size", layer_disk_size(top));
	result_bool("read-only", !args->overlay.image && args->opt.read_only);
	free(node);
}

static int run(int argc, char **argv)
{
	struct chain chain = { 0 };
	struct args args = { 0 };
	int ret = parse(argc, argv, &args);

	if (!ret)
		result_text("name", args.name);
	/* Before images are locked and loop devices are made. */
	if (!ret && dm_check_free(args.name))
		ret = CC_FAILED;
	if (!ret)
		ret = build(&args, &chain);
	if (!ret)
		ret = args.overlay.image ? make_and_activate(&args, &chain) : activate(&args, &chain);
	if (!ret)
		add_result(&args, &chain);
	/* The target has opened the devices by now; if it has not, the loop devices vanish here. */
	chain_close(&chain);
	table_free(&args.table);
	allow_dirs_free(&args.opt.allow);
	free(args.overlay_command);
	free(args.raw_command);
	free(args.specs);
	return ret;
}

const struct verb cmd_attach = {
	.name = "attach",
	.usage = usage,
	.summary = "make /dev/mapper/NAME of a chain",
	.operands = operands,
	.options = options,
	.examples = examples,
	.result = true,
	.run = run,
};
