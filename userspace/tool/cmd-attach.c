// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowchain attach
 */
#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "commands.h"
#include "dm-change.h"
#include "dm.h"
#include "number.h"
#include "util.h"

/* Options without a letter. */
enum {
	OPT_NO_DISCARD = 256, OPT_COMMIT_MS, OPT_PAD, OPT_NO_LOCK, OPT_ALLOW_SEALED,
	OPT_IGNORE_IDENTITY, OPT_NO_AUTO_RESUME,
};

static const struct option options[] = {
	{ "layer", required_argument, NULL, 'l' },
	{ "allow-dir", required_argument, NULL, 'a' },
	{ "backing-format", required_argument, NULL, 'F' },
	{ "format", required_argument, NULL, 'f' },
	{ "read-only", no_argument, NULL, 'r' },
	{ "readonly", no_argument, NULL, 'r' },
	{ "feature", required_argument, NULL, 'o' },
	{ "no-discard-passdown", no_argument, NULL, OPT_NO_DISCARD },
	{ "commit-ms", required_argument, NULL, OPT_COMMIT_MS },
	{ "pad", no_argument, NULL, OPT_PAD },
	{ "no-lock", no_argument, NULL, OPT_NO_LOCK },
	{ "allow-sealed", no_argument, NULL, OPT_ALLOW_SEALED },
	{ "ignore-identity", no_argument, NULL, OPT_IGNORE_IDENTITY },
	{ "no-auto-resume", no_argument, NULL, OPT_NO_AUTO_RESUME },
	{ 0 },
};

/* How long a job may take to begin: two seconds. */
#define JOB_BEGINS_TRIES 100
#define JOB_BEGINS_US 20000

struct args {
	struct chain_options opt;
	struct table table;		/* features, later the layers */
	char **specs;			/* of --layer */
	size_t nr_specs;
	enum layer_kind kind;		/* of the top */
	const char *name;
	const char *top;
};

static void add_feature(struct args *args, const char *word)
{
	struct table *t = &args->table;

	t->features = xrealloc(t->features, t->nr_features + 1, sizeof(*t->features));
	t->features[t->nr_features++] = xstrdup(word);
}

static int parse_format(const char *option, enum layer_kind *kind)
{
	if (!kind_parse(optarg, kind))
		return 0;
	return cc_usage("attach", "%s %s: must be raw or qcow2", option, optarg);
}

/* The table line is words between blanks: a blank in a word would make another word of it. */
static int parse_feature(struct args *args)
{
	const char *p = optarg;

	while (isgraph((unsigned char)*p) && *p != '\\')
		p++;
	if (!optarg[0] || *p)
		return cc_usage("attach", "--feature '%s': must be one word", optarg);
	add_feature(args, optarg);
	return 0;
}

static int parse_commit_ms(struct args *args)
{
	uint64_t ms;

	if (parse_u64(optarg, &ms))
		return cc_usage("attach", "--commit-ms %s: must be a number", optarg);
	add_feature(args, "commit_ms");
	add_feature(args, optarg);
	return 0;
}

static int parse_option(int c, struct args *args)
{
	switch (c) {
	case 'l':
		args->specs = xrealloc(args->specs, args->nr_specs + 1, sizeof(*args->specs));
		args->specs[args->nr_specs++] = optarg;
		return 0;
	case 'a':
		return allow_dirs_add(&args->opt.allow, optarg) ? CC_FAILED : 0;
	case 'F':
		args->opt.have_backing_format = true;
		return parse_format("--backing-format", &args->opt.backing_format);
	case 'f':
		return parse_format("--format", &args->kind);
	case 'r':
		args->opt.read_only = true;
		return 0;
	case 'o':
		return parse_feature(args);
	case OPT_NO_DISCARD:
		add_feature(args, "no_discard_passdown");
		return 0;
	case OPT_COMMIT_MS:
		return parse_commit_ms(args);
	case OPT_PAD:
		args->opt.pad = true;
		return 0;
	case OPT_NO_LOCK:
		args->opt.no_lock = true;
		return 0;
	case OPT_ALLOW_SEALED:
		add_feature(args, "allow_sealed");
		return 0;
	case OPT_IGNORE_IDENTITY:
		add_feature(args, "ignore_identity");
		return 0;
	case OPT_NO_AUTO_RESUME:
		add_feature(args, "no_auto_resume");
		return 0;
	default:
		return cc_usage("attach", "see the options of attach");
	}
}

static int parse(int argc, char **argv, struct args *args)
{
	int c, ret, left;

	args->kind = KIND_QCOW2;
	args->opt.can_pad = true;
	while ((c = getopt_long(argc, argv, "l:a:F:f:ro:", options, NULL)) != -1) {
		ret = parse_option(c, args);
		if (ret)
			return ret;
	}
	left = argc - optind;
	if (left != (args->nr_specs ? 1 : 2))
		return cc_usage("attach", "needed are a name and the top image, or a name and --layer for each layer");
	args->name = dm_name(argv[optind]);
	args->top = argv[optind + 1];
	if (!args->name[0] || strchr(args->name, '/'))
		return cc_usage("attach", "'%s' cannot be the name of a device", args->name);
	if (strlen(args->name) > DM_NAME_MAX)
		return cc_usage("attach", "'%s' is too long: the name of a device has at most %d bytes",
				args->name, DM_NAME_MAX);
	return 0;
}

/*
 * Does the job that was interrupted begin? A message waits until the kernel has tried; then it takes a
 * thread only a moment.
 */
static bool job_begins(const char *name)
{
	static const char *const query[] = { "base", NULL };
	struct target_status status;
	unsigned int tries;

	free(dm_ask(name, query));
	for (tries = 0; tries < JOB_BEGINS_TRIES; tries++) {
		if (dm_status(name, &status) || !status.job.present ||
		    strcmp(status.job.state, "created"))
			return true;
		usleep(JOB_BEGINS_US);
	}
	return false;
}

/* It goes on in the kernel, unasked; but not if it was paused, or cannot. */
static void tell_job(const struct args *args, const struct chain *chain)
{
	const struct q2_ident_job *job = &chain_top(chain)->image.ident.job;

	if (args->opt.read_only || !job->type)
		return;
	if (table_has_feature(&args->table, "no_auto_resume"))
		cc_note("%s: a stream was interrupted: 'cowchain job %s resume' continues it, 'cowchain job %s cancel' ends it",
			args->name, args->name, args->name);
	else if (!job_begins(args->name))
		cc_note("%s: an interrupted stream cannot go on, the kernel log says why: 'cowchain job %s cancel' ends it, 'cowchain job %s resume' tries again",
			args->name, args->name, args->name);
	else if (job->paused)
		cc_note("%s: an interrupted stream is there, paused as it was: 'cowchain job %s resume' continues it",
			args->name, args->name);
	else
		cc_note("%s: an interrupted stream goes on: 'cowchain wait %s' shows how far it is",
			args->name, args->name);
}

static int build(struct args *args, struct chain *chain)
{
	size_t i;
	int ret = 0;

	if (!args->nr_specs)
		return chain_follow(chain, args->top, args->kind, &args->opt) ? CC_FAILED : 0;
	for (i = 0; !ret && i < args->nr_specs; i++)
		ret = chain_add_spec(chain, args->specs[i], i + 1 == args->nr_specs, &args->opt);
	return ret < 0 ? CC_FAILED : ret;
}

static int activate(struct args *args, struct chain *chain)
{
	char *line;
	int ret;

	args->opt.allow_sealed = table_has_feature(&args->table, "allow_sealed");
	args->opt.ignore_identity = table_has_feature(&args->table, "ignore_identity");
	if (chain_check(chain, &args->opt) || chain_attach(chain, &args->opt))
		return CC_FAILED;
	chain_to_table(chain, &args->table);
	line = table_format(&args->table);
	ret = dm_create(args->name, layer_size(chain_top(chain)) / SECTOR_SIZE, line,
			args->opt.read_only);
	free(line);
	if (!ret)
		tell_job(args, chain);
	return ret ? CC_FAILED : CC_OK;
}

/* Before images are locked and loop devices made for nothing. */
static int check_name(const char *name)
{
	struct dm_device dev;

	if (dm_find(name, &dev))
		return 0;
	cc_error("%s: a device of this name exists: detach it or take another name", name);
	dm_close(&dev);
	return CC_FAILED;
}

int cmd_attach(int argc, char **argv)
{
	struct chain chain = { 0 };
	struct args args = { 0 };
	int ret = parse(argc, argv, &args);

	if (!ret)
		ret = check_name(args.name);
	if (!ret)
		ret = build(&args, &chain);
	if (!ret)
		ret = activate(&args, &chain);
	/* The target has the devices open by now; without it the loop devices vanish here. */
	chain_close(&chain);
	table_free(&args.table);
	allow_dirs_free(&args.opt.allow);
	free(args.specs);
	return ret;
}
