// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages. A handler runs inside dm's SRCU section of the live table; it may sleep, but never wait
 * for a suspend.
 */
#include <linux/kernel.h>
#include <linux/sched/mm.h>
#include <linux/string.h>

#include "job-control.h"
#include "message.h"
#include "snapshot.h"
#include "stats.h"
#include "table.h"

/* Each member of a round needs a thread for a moment; see cc_rounds_init(). */
#define CC_MAX_OTHERS	31

/* Words of job-first: 32 parts. */
#define CC_FIRST_WORDS	64

/*
 * struct cc_verb - one message.
 * @min, @max: number of words after the verb.
 * @locked: runs under cc->ctl.
 */
struct cc_verb {
	const char *name;
	unsigned int min, max;
	bool locked;
	int (*run)(struct cowchain *cc, unsigned int argc, char **argv);
};

static int cc_parse_u64(struct cowchain *cc, const char *what, const char *word, u64 *value)
{
	if (!kstrtou64(word, 10, value))
		return 0;
	cc_err(cc, "%s must be a number, not %s", what, word);
	return -EINVAL;
}

static int cc_verb_base(struct cowchain *cc, unsigned int argc, char **argv)
{
	struct cc_view *view = cc_view_current(cc);
	int i;

	if (cc_job_active(cc)) {
		cc_err(cc, "a job is running: the base cannot be changed");
		return -EBUSY;
	}
	if (!strcmp(argv[0], "none")) {
		cc->base = -1;
		return 0;
	}
	i = cc_find_layer(cc, argv[0]);
	if (i == -EAGAIN)
		return i;
	if (i < 0) {
		cc_err(cc, "%s is not a layer of this chain", argv[0]);
		return i;
	}
	if (i == (int)view->nr - 1) {
		cc_err(cc, "the top cannot be the base");
		return -EINVAL;
	}
	cc->base = view->layer[i]->slot;
	return 0;
}

/* "base" alone returns the layer that a stream would keep if it started now. */
static int cc_query_base(struct cowchain *cc, char *result, unsigned int maxlen)
{
	unsigned int sz = 0;
	int base;

	if (mutex_lock_killable(&cc->ctl))
		return -EINTR;
	base = cc_view_current(cc) ? cc_base_index(cc, cc_view_current(cc)) : -1;
	mutex_unlock(&cc->ctl);
	if (base < 0)
		DMEMIT("none");
	else
		DMEMIT("%d", base);
	/* tells dm that there is a result */
	return 1;
}

static int cc_parse_policy(struct cowchain *cc, const char *word, enum cc_on_error *policy)
{
	static const char * const names[] = {
		[CC_ON_ERROR_REPORT] = "report", [CC_ON_ERROR_STOP] = "stop",
		[CC_ON_ERROR_ENOSPC] = "enospc",
	};
	int i = match_string(names, ARRAY_SIZE(names), word);

	if (i < 0) {
		cc_err(cc, "on-error must be report, stop or enospc, not %s", word);
		return -EINVAL;
	}
	*policy = i;
	return 0;
}

static int cc_parse_backing(struct cowchain *cc, char **argv, struct cc_job_args *args)
{
	enum cc_kind kind;

	if (cc_parse_kind(argv[1], &kind)) {
		cc_err(cc, "backing format must be raw or qcow2, not %s", argv[1]);
		return -EINVAL;
	}
	if (!argv[0][0] || strlen(argv[0]) > QCOW2_MAX_BACKING_NAME) {
		cc_err(cc, "backing file name must have 1 to %u bytes", QCOW2_MAX_BACKING_NAME);
		return -ENAMETOOLONG;
	}
	args->backing_name = argv[0];
	args->backing_format = argv[1];
	return 0;
}

/* One of the options that all jobs have. Return: the words it takes, 0 for none of them, -errno. */
static int cc_parse_job_option(struct cowchain *cc, unsigned int argc, char **argv,
			       struct cc_job_args *args)
{
	int r;

	if (!strcmp(argv[0], "verify")) {
		args->verify = true;
		return 1;
	}
	if (argc >= 2 && !strcmp(argv[0], "speed"))
		r = cc_parse_u64(cc, "speed", argv[1], &args->speed);
	else if (argc >= 2 && !strcmp(argv[0], "on-error"))
		r = cc_parse_policy(cc, argv[1], &args->on_error);
	else if (argc >= 3 && !strcmp(argv[0], "backing-file"))
		r = cc_parse_backing(cc, argv + 1, args);
	else
		return 0;
	if (r)
		return r;
	return argv[0][0] == 'b' ? 3 : 2;
}

/* All layers that a message names are found in the same view, which @args remembers. */
static int cc_parse_layer_word(struct cowchain *cc, const char *word, struct cc_job_args *args,
			       int *index)
{
	struct cc_view *view;
	int r = -ENXIO;

	if (mutex_lock_killable(&cc->ctl))
		return -EINTR;
	view = cc_view_current(cc);
	if (view) {
		r = cc_check_seen(cc, args->seen);
		args->seen = view->id;
	}
	if (!r)
		r = cc_find_layer(cc, word);
	mutex_unlock(&cc->ctl);
	if (r >= 0)
		*index = r;
	else if (r != -EAGAIN && r != -EBUSY)
		cc_err(cc, "%s is not a layer of this chain", word);
	return min(r, 0);
}

static int cc_parse_base_word(struct cowchain *cc, const char *word, struct cc_job_args *args,
			      int *base)
{
	if (strcmp(word, "none"))
		return cc_parse_layer_word(cc, word, args, base);
	*base = -1;
	return 0;
}

static int cc_parse_commit_option(struct cowchain *cc, unsigned int argc, char **argv,
				  struct cc_commit_args *args)
{
	int r;

	if (argc >= 2 && !strcmp(argv[0], "top")) {
		r = cc_parse_layer_word(cc, argv[1], &args->job, &args->top);
	} else if (argc >= 2 && !strcmp(argv[0], "base")) {
		r = cc_parse_layer_word(cc, argv[1], &args->job, &args->base);
	} else if (argc >= 3 && !strcmp(argv[0], "device")) {
		args->path = argv[1];
		args->data_path = strcmp(argv[2], "-") ? argv[2] : NULL;
		return 3;
	} else if (!strcmp(argv[0], "keep")) {
		args->keep = true;
		return 1;
	} else {
		return cc_parse_job_option(cc, argc, argv, &args->job);
	}
	return r ? r : 2;
}

static int cc_verb_commit(struct cowchain *cc, unsigned int argc, char **argv)
{
	struct cc_commit_args args = {
		.job = { .on_error = CC_ON_ERROR_ENOSPC }, .top = -1, .base = -1,
	};
	int used;

	while (argc) {
		used = cc_parse_commit_option(cc, argc, argv, &args);
		if (used < 0)
			return used;
		if (!used) {
			cc_err(cc, "commit: bad or incomplete option %s", argv[0]);
			return -EINVAL;
		}
		argc -= used;
		argv += used;
	}
	if (args.top < 0 || args.base < 0) {
		cc_err(cc, "commit needs top <layer> and base <layer>");
		return -EINVAL;
	}
	return cc_commit_start(cc, &args);
}

static int cc_parse_stream_option(struct cowchain *cc, unsigned int argc, char **argv,
				  struct cc_stream_args *args)
{
	int r;

	if (argc >= 2 && !strcmp(argv[0], "top")) {
		r = cc_parse_layer_word(cc, argv[1], &args->job, &args->top);
	} else if (argc >= 2 && !strcmp(argv[0], "base")) {
		r = cc_parse_base_word(cc, argv[1], &args->job, &args->base);
	} else if (argc >= 3 && !strcmp(argv[0], "device")) {
		args->path = argv[1];
		args->data_path = strcmp(argv[2], "-") ? argv[2] : NULL;
		return 3;
	} else {
		return cc_parse_job_option(cc, argc, argv, &args->job);
	}
	return r ? r : 2;
}

static int cc_verb_stream(struct cowchain *cc, unsigned int argc, char **argv)
{
	struct cc_stream_args args = {
		.job = { .on_error = CC_ON_ERROR_ENOSPC }, .top = -1, .base = CC_BASE_SELECTED,
	};
	int used;

	while (argc) {
		used = cc_parse_stream_option(cc, argc, argv, &args);
		if (used < 0)
			return used;
		if (!used) {
			cc_err(cc, "stream: bad or incomplete option %s", argv[0]);
			return -EINVAL;
		}
		argc -= used;
		argv += used;
	}
	return cc_job_stream(cc, &args);
}

static int cc_parse_snapshot(struct cowchain *cc, char **argv, struct cc_snapshot_args *args)
{
	if (cc_parse_kind(argv[0], &args->kind) || args->kind == CC_RAW) {
		cc_err(cc, "a new top must be qcow2, not %s", argv[0]);
		return -EINVAL;
	}
	args->path = argv[1];
	args->data_path = strcmp(argv[2], "-") ? argv[2] : NULL;
	return 0;
}

static int cc_verb_snapshot(struct cowchain *cc, unsigned int argc, char **argv)
{
	struct cc_snapshot_args args;
	int r = cc_parse_snapshot(cc, argv, &args);

	return r ? r : cc_snapshot(cc, &args);
}

static int cc_verb_snapshot_prepare(struct cowchain *cc, unsigned int argc, char **argv)
{
	struct cc_snapshot_args args;
	int r = cc_parse_snapshot(cc, argv, &args);

	return r ? r : cc_snapshot_prepare(cc, &args);
}

static int cc_verb_snapshot_abort(struct cowchain *cc, unsigned int argc, char **argv)
{
	return cc_snapshot_abort(cc);
}

static int cc_verb_pause(struct cowchain *cc, unsigned int argc, char **argv)
{
	return cc_job_pause(cc);
}

static int cc_verb_resume(struct cowchain *cc, unsigned int argc, char **argv)
{
	return cc_job_resume(cc);
}

static int cc_verb_cancel(struct cowchain *cc, unsigned int argc, char **argv)
{
	return cc_job_cancel(cc);
}

static int cc_verb_complete(struct cowchain *cc, unsigned int argc, char **argv)
{
	return cc_job_complete(cc);
}

static int cc_verb_set_speed(struct cowchain *cc, unsigned int argc, char **argv)
{
	u64 speed;
	int r = cc_parse_u64(cc, "speed", argv[0], &speed);

	return r ? r : cc_job_set_speed(cc, speed);
}

static int cc_parse_part(struct cowchain *cc, char **argv, struct cc_part *part)
{
	u64 start, sectors;
	int r = cc_parse_u64(cc, "a start sector", argv[0], &start);

	if (!r)
		r = cc_parse_u64(cc, "a number of sectors", argv[1], &sectors);
	if (r)
		return r;
	if (!sectors || start + sectors < start) {
		cc_err(cc, "job-first: %s sectors from %s on are no part of a disk", argv[1],
		       argv[0]);
		return -EINVAL;
	}
	part->pos = start;
	part->end = start + sectors;
	return 0;
}

static int cc_verb_first(struct cowchain *cc, unsigned int argc, char **argv)
{
	struct cc_part parts[CC_FIRST_WORDS / 2];
	unsigned int i;
	int r;

	if (argc % 2) {
		cc_err(cc, "job-first: %s has no number of sectors", argv[argc - 1]);
		return -EINVAL;
	}
	for (i = 0; i < argc / 2; i++) {
		r = cc_parse_part(cc, argv + 2 * i, &parts[i]);
		if (r)
			return r;
	}
	return cc_job_first(cc, parts, argc / 2);
}

static int cc_verb_stats(struct cowchain *cc, unsigned int argc, char **argv)
{
	return cc_stats_control(cc, argv[0]);
}

static const struct cc_verb cc_verbs[] = {
	{ "base", 1, 1, true, cc_verb_base },
	{ "stream", 0, 15, false, cc_verb_stream },
	{ "commit", 4, 16, false, cc_verb_commit },
	{ "snapshot", 3, 3, false, cc_verb_snapshot },
	{ "snapshot-prepare", 3, 3, false, cc_verb_snapshot_prepare },
	{ "snapshot-commit", 0, CC_MAX_OTHERS, false, cc_snapshot_commit },
	{ "snapshot-abort", 0, 0, false, cc_verb_snapshot_abort },
	{ "job-pause", 0, 0, false, cc_verb_pause },
	{ "job-resume", 0, 0, false, cc_verb_resume },
	{ "job-cancel", 0, 0, false, cc_verb_cancel },
	{ "job-complete", 0, 0, false, cc_verb_complete },
	{ "job-set-speed", 1, 1, false, cc_verb_set_speed },
	{ "job-first", 2, CC_FIRST_WORDS, false, cc_verb_first },
	{ "stats", 1, 1, true, cc_verb_stats },
};

static int cc_run_verb(struct cowchain *cc, const struct cc_verb *verb, unsigned int argc,
		       char **argv)
{
	unsigned int noio;
	int r;

	if (argc < verb->min || argc > verb->max) {
		cc_err(cc, "message %s: wrong number of words", verb->name);
		return -EINVAL;
	}
	if (!verb->locked)
		return verb->run(cc, argc, argv);
	if (mutex_lock_killable(&cc->ctl))
		return -EINTR;
	/* The device may be suspended, so memory must not depend on I/O to it. */
	noio = memalloc_noio_save();
	/* A table that was never resumed has no chain yet. */
	r = cc_view_current(cc) ? verb->run(cc, argc, argv) : -ENXIO;
	memalloc_noio_restore(noio);
	mutex_unlock(&cc->ctl);
	return r;
}

int cc_message(struct dm_target *ti, unsigned int argc, char **argv,
	       char *result, unsigned int maxlen)
{
	struct cowchain *cc = ti->private;
	unsigned int i;

	if (argc == 1 && !strcmp(argv[0], "stats"))
		return cc_stats_query(cc, result, maxlen);
	/* Messages see the job that is to be continued after a resume. */
	if (cc_job_await(cc))
		return -EINTR;
	if (argc == 1 && !strcmp(argv[0], "base"))
		return cc_query_base(cc, result, maxlen);
	for (i = 0; i < ARRAY_SIZE(cc_verbs); i++)
		if (!strcmp(argv[0], cc_verbs[i].name))
			return cc_run_verb(cc, &cc_verbs[i], argc - 1, argv + 1);
	cc_err(cc, "unknown message %s", argv[0]);
	return -EINVAL;
}
