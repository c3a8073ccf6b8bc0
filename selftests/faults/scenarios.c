// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultwalk: the scenarios. They are small, because every I/O of each fails once.
 *
 * The chain is a.raw, b.qcow2 (ordinary), c.qcow2 (prepared), d.qcow2 (prepared, the top), 2 MiB.
 * e.qcow2 is another top, for snapshots. See make-fixtures for what lies where.
 */
#include <string.h>

#include "dm.h"
#include "files.h"
#include "jobs.h"
#include "scenarios.h"
#include "steps-io.h"
#include "steps-message.h"
#include "steps-table.h"
#include "verdict.h"

static void nothing(struct walk *w)
{
	(void)w;
}

static void have_chain(struct walk *w)
{
	step_create(w, FILE_D, "0");
}

/* Data of the guest in the top, durable and not. */
static void have_data(struct walk *w)
{
	have_chain(w);
	step_io(w, IO_WRITE, 0, 12);
	step_part(w, IO_WRITE, 1100, 5);
	step_io(w, IO_ZERO, 640, 64);
	step_flush(w);
	step_io(w, IO_WRITE, 1920, 16);
}

/* ---- activation ---- */

static void activate(struct walk *w)
{
	step_create(w, FILE_D, "0");
	step_read_all(w);
}

static void activate_again(struct walk *w)
{
	step_create(w, FILE_D, "0");
	step_io(w, IO_READ, 0, 64);
	step_io(w, IO_WRITE, 0, 4);
	step_flush(w);
}

/* An image that was used before has an identity and data. */
static void used_before(struct walk *w)
{
	have_data(w);
	step_remove(w);
}

/* ---- I/O ---- */

static void read_cold(struct walk *w)
{
	step_io(w, IO_READ, 1536, 4);		/* b */
	step_io(w, IO_READ, 128, 4);		/* c */
	step_io(w, IO_READ, 1984, 64);		/* a */
	step_part(w, IO_READ, 1041, 31);	/* several */
	step_read_all(w);
	step_read_all(w);
}

static void write_all_ways(struct walk *w)
{
	step_io(w, IO_WRITE, 256, 4);		/* a whole subcluster */
	step_io(w, IO_WRITE, 256, 4);		/* again: allocated */
	step_part(w, IO_WRITE, 1043, 3);	/* parts: of c's data */
	step_part(w, IO_WRITE, 3073, 1);	/* of b's */
	step_part(w, IO_WRITE, 3966, 12);	/* two parts, of a's */
	step_part(w, IO_READ, 3960, 24);
	step_io(w, IO_WRITE, 1396, 288);	/* several clusters */
	step_flush(w);
	step_part(w, IO_WRITE, 1044, 2);
	step_io(w, IO_READ, 256, 8);
	step_flush(w);
	step_flush(w);				/* nothing to commit */
}

static void fua_and_flush(struct walk *w)
{
	step_io(w, IO_FUA, 700, 4);
	step_part(w, IO_FUA, 1045, 2);
	step_io(w, IO_WRITE, 704, 12);
	step_part(w, IO_FUA, 1410, 1);
	step_flush(w);
	step_io(w, IO_WRITE, 1408, 4);
	step_io(w, IO_READ, 696, 32);
	step_flush(w);
	step_io(w, IO_WRITE, 1409, 1);
}

static void zero_and_discard(struct walk *w)
{
	step_io(w, IO_WRITE, 512, 64);
	step_flush(w);
	step_io(w, IO_DISCARD, 512, 32);	/* allocated */
	step_io(w, IO_DISCARD, 1024, 128);	/* not */
	step_part(w, IO_ZERO, 1089, 30);	/* parts of allocated ones */
	step_part(w, IO_ZERO, 2571, 11);	/* parts of others: filled */
	step_io(w, IO_ZERO, 1536, 64);
	step_flush(w);
	step_io(w, IO_WRITE, 516, 4);		/* over zeros */
	step_part(w, IO_WRITE, 1025, 2);
	step_io(w, IO_READ, 508, 80);
	step_io(w, IO_DISCARD, 0, 2048);
	step_io(w, IO_READ, 0, 64);
	step_flush(w);
}

/* ---- streams ---- */

static const char *verify_word(struct walk *w)
{
	return w->verify ? " verify" : "";
}

static void stream(struct walk *w, const char *base, const char *backing, unsigned int layers,
		   const char *policy)
{
	char text[128];
	const char *raw = strstr(backing, ".raw");

	w->policy = policy;
	w->backing = backing;
	if (base && !step_message(w, "base %s", base))
		return;
	snprintf(text, sizeof(text), "stream on-error %s%s%s%s%s", policy, verify_word(w),
		 base ? " backing-file " : "", backing, base ? raw ? " raw" : " qcow2" : "");
	if (!step_message(w, "%s", text))
		return;
	step_io(w, IO_WRITE, 1000, 4);
	step_part(w, IO_WRITE, 777, 3);
	step_job(w, text, layers);
	step_io(w, IO_WRITE, 1200, 4);
	step_flush(w);
	step_read_all(w);
}

static void stream_report(struct walk *w)
{
	stream(w, NULL, "", 1, "report");
}

static void stream_stop(struct walk *w)
{
	stream(w, NULL, "", 1, "stop");
}

static void stream_verify(struct walk *w)
{
	w->verify = true;
	stream_stop(w);
}

static void stream_enospc(struct walk *w)
{
	stream(w, NULL, "", 1, "enospc");
}

static void stream_base(struct walk *w)
{
	stream(w, "1", "b.qcow2", 3, "report");
}

static void stream_base_stop(struct walk *w)
{
	stream(w, "0", "a.raw", 2, "stop");
}

static void stream_named(struct walk *w)
{
	stream(w, "0", OTHER_NAME, 2, "report");
}

/*
 * A stream that was refused is not tried again: the header must not record it, so no table
 * continues it.
 */
static void refused_stream(struct walk *w)
{
	static const char text[] = "stream on-error report";
	struct job_status st;
	bool began;

	w->policy = "report";
	began = step_message_once(w, text);
	step_io(w, IO_WRITE, 1000, 4);
	if (began) {
		w->backing = "";
		step_job(w, text, 1);
	} else {
		/*
		 * errors that do not end: the record could not be removed, and the next table
		 * continues the job
		 */
		if (w->fault.times != 1)
			w->backing = "";
		step_reload(w);
		if (w->dev >= 0 && !dm_status(NAME, &st) && st.present)
			wrong(w, "a stream that was refused is there after a reload");
	}
	step_flush(w);
}

/*
 * The record of the job in the header changes with it; a job that was cancelled leaves the chain as
 * it was.
 */
static void job_control(struct walk *w)
{
	w->policy = "report";
	/*
	 * if the chain becomes read-only, the job stays recorded, and the next table continues it
	 */
	w->backing = "";
	if (!step_message(w, "stream speed 65536 on-error report"))
		return;
	step_message(w, "job-set-speed 131072");
	/* what the record of the pause makes durable, and may fail to; so that of the resume after it */
	step_io(w, IO_WRITE, 304, 8);
	step_message(w, "job-pause");
	step_io(w, IO_WRITE, 400, 8);
	step_job_resume(w);
	step_cancel(w);
	step_flush(w);
}

/* ---- snapshots ---- */

static const char *snapshot_text(struct walk *w, unsigned int file, char *text, size_t len)
{
	char dev[64], data[64];

	snprintf(text, len, "snapshot qcow2 %s %s", layer_dev(w, file, dev, sizeof(dev)),
		 has_data(w, file) ?
		 layer_dev(w, FIRST_DATA + file - FIRST_TOP, data, sizeof(data)) : "-");
	return text;
}

static bool snapshot_done(struct walk *w, unsigned int file, bool taken)
{
	if (!taken) {
		w->may_be_sealed = w->fault.times != 1;
		return false;
	}
	w->top = file;
	w->layers = file + 1;
	return true;
}

static bool snapshot_to(struct walk *w, unsigned int file)
{
	char text[160];

	return snapshot_done(w, file, step_message(w, "%s", snapshot_text(w, file, text, sizeof(text))));
}

static bool snapshot(struct walk *w)
{
	return snapshot_to(w, FILE_E);
}

/* A snapshot that was refused is not tried again: the chain continues as it was. */
static void refused_snapshot(struct walk *w)
{
	char text[160];

	snapshot_done(w, FILE_E, step_message_once(w, snapshot_text(w, FILE_E, text, sizeof(text))));
	step_io(w, IO_WRITE, 1924, 4);
	step_flush(w);
}

static void use_snapshot(struct walk *w)
{
	step_io(w, IO_WRITE, 1924, 4);
	step_part(w, IO_WRITE, 1101, 2);
	step_io(w, IO_READ, 1900, 64);
	step_flush(w);
}

static void take_snapshot(struct walk *w)
{
	snapshot(w);
	use_snapshot(w);
}

static void take_in_two(struct walk *w)
{
	char text[160];

	snapshot_done(w, FILE_E, step_snapshot_in_two(w, snapshot_text(w, FILE_E, text, sizeof(text))));
	use_snapshot(w);
}

static void copy_disk(struct walk *w)
{
	if (!snapshot(w))
		return;
	stream(w, NULL, "", 1, "stop");
}

/* ---- streams into a layer below the top ---- */

/* What is written from here on goes to e, in part over what is copied into d. */
static void have_lower(struct walk *w)
{
	have_data(w);
	snapshot(w);
	fmodel_freeze(&w->model);
	w->base = FILE_D;
	w->lower = true;
	step_io(w, IO_WRITE, 4, 4);
}

static const char *lower_text(struct walk *w, const char *base, const char *policy, char *text, size_t len)
{
	unsigned int file = base ? (unsigned int)(base[0] - '0') : 0;

	w->policy = policy;
	w->backing = base ? w->files[file].name : "";
	snprintf(text, len, "stream top %u base %s on-error %s%s%s%s", w->base, base ? base : "none", policy,
		 base ? " backing-file " : "", w->backing, !base ? "" : file == FILE_A ? " raw" : " qcow2");
	return text;
}

/* @layers: of the chain afterwards. */
static void lower(struct walk *w, const char *base, unsigned int layers, const char *policy)
{
	char text[128];

	if (!step_message(w, "%s", lower_text(w, base, policy, text, sizeof(text))))
		return;
	step_io(w, IO_WRITE, 1000, 4);
	step_part(w, IO_WRITE, 777, 3);
	step_flush(w);
	step_job(w, text, layers);
	step_io(w, IO_WRITE, 1200, 4);
	step_flush(w);
	step_read_all(w);
}

static void lower_report(struct walk *w)
{
	lower(w, NULL, 2, "report");
}

static void lower_stop(struct walk *w)
{
	lower(w, "1", 4, "stop");
}

/* It is there again, and goes on, when the table is loaded the next time. */
static void lower_in_reload(struct walk *w)
{
	char text[128];

	if (!step_message(w, "%s speed 4096", lower_text(w, "0", "stop", text, sizeof(text))))
		return;
	step_reload(w);
	if (!step_job_there(w))
		return;
	step_io(w, IO_WRITE, 304, 8);
	step_message(w, "job-set-speed 0");
	step_job(w, text, 3);
	step_flush(w);
}

/* A snapshot puts e on d, while a stream goes into that, and on. */
static void snapshot_in_stream(struct walk *w)
{
	char text[128];

	w->policy = "stop";
	w->backing = "";
	if (!step_message(w, "stream speed 4096 on-error stop"))
		return;
	step_io(w, IO_WRITE, 400, 8);
	if (!snapshot(w))
		return;
	fmodel_freeze(&w->model);
	w->base = FILE_D;
	w->lower = true;
	step_io(w, IO_WRITE, 404, 8);
	step_message(w, "job-set-speed 0");
	step_job(w, lower_text(w, NULL, "stop", text, sizeof(text)), 2);
	step_io(w, IO_WRITE, 1200, 4);
	step_flush(w);
	step_read_all(w);
}

/* ---- commits ---- */

/* Something of every kind in d: parts of what c has, whole subclusters, zeros. */
static void have_layer(struct walk *w)
{
	have_data(w);
	step_part(w, IO_WRITE, 1041, 3);	/* over c's data */
	step_part(w, IO_WRITE, 2571, 20);	/* over b's */
	step_io(w, IO_ZERO, 1284, 4);
}

/* What is written from here on goes to e, in part over what is being committed. */
static void have_committed(struct walk *w)
{
	have_layer(w);
	snapshot(w);
	fmodel_freeze(&w->model);
	w->base = FILE_C;
	step_io(w, IO_WRITE, 4, 4);
}

static void have_committed_raw(struct walk *w)
{
	have_committed(w);
	w->base = FILE_A;
}

/* Of e into d, both with data files if there are any. */
static void have_committed_up(struct walk *w)
{
	have_layer(w);
	snapshot(w);
	step_part(w, IO_WRITE, 1042, 3);	/* over d's */
	step_part(w, IO_WRITE, 3073, 1);	/* over b's */
	step_io(w, IO_ZERO, 600, 100);
	step_io(w, IO_WRITE, 1920, 4);
	snapshot_to(w, FILE_F);
	fmodel_freeze(&w->model);
	w->base = FILE_D;
	step_io(w, IO_WRITE, 4, 4);
}

static const char *commit_text(struct walk *w, const char *policy, char *text, size_t len)
{
	const char *name = w->files[w->base].name;

	w->policy = policy;
	w->backing = name;
	snprintf(text, len, "commit top %u base %u on-error %s%s backing-file %s %s", w->top - 1,
		 w->base, policy, verify_word(w), name, w->base == FILE_A ? "raw" : "qcow2");
	return text;
}

static void commit(struct walk *w, const char *policy)
{
	char text[128];

	if (!step_message(w, "%s", commit_text(w, policy, text, sizeof(text))))
		return;
	step_io(w, IO_WRITE, 1000, 4);
	step_part(w, IO_WRITE, 777, 3);
	step_flush(w);
	step_job(w, text, w->base + 2);
	step_io(w, IO_WRITE, 1200, 4);
	step_flush(w);
	step_read_all(w);
}

static void commit_report(struct walk *w)
{
	commit(w, "report");
}

static void commit_stop(struct walk *w)
{
	commit(w, "stop");
}

static void commit_verify(struct walk *w)
{
	w->verify = true;
	commit_stop(w);
}

/* It is there again, and goes on, when the table is loaded the next time. */
static void commit_removed(struct walk *w)
{
	char text[128];

	if (!step_message(w, "%s speed 4096", commit_text(w, "report", text, sizeof(text))))
		return;
	step_io(w, IO_WRITE, 1000, 4);
	step_remove(w);
}

static void commit_in_reload(struct walk *w)
{
	char text[128];

	if (!step_message(w, "%s speed 4096", commit_text(w, "stop", text, sizeof(text))))
		return;
	step_reload(w);
	if (!step_job_there(w))
		return;
	step_io(w, IO_WRITE, 304, 8);
	step_message(w, "job-set-speed 0");
	step_job(w, text, w->base + 2);
	step_flush(w);
}

/* ---- commits of the top ---- */

/* Of d into c, which becomes the top. */
static void have_active(struct walk *w)
{
	have_layer(w);
	w->base = FILE_C;
	w->active = true;
	w->old_top = w->top;
}

/* Of e into d, both with data files if there are any. */
static void have_active_up(struct walk *w)
{
	have_layer(w);
	snapshot(w);
	step_part(w, IO_WRITE, 1042, 3);	/* over d's */
	step_part(w, IO_WRITE, 3073, 1);	/* over b's */
	step_io(w, IO_ZERO, 600, 100);
	step_flush(w);
	step_io(w, IO_WRITE, 1920, 4);
	w->base = FILE_D;
	w->active = true;
	w->old_top = w->top;
}

static bool active_start(struct walk *w, const char *policy, const char *more, char *text, size_t len)
{
	w->policy = policy;
	snprintf(text, len, "commit top %u base %u on-error %s%s", w->top, w->base, policy,
		 verify_word(w));
	w->marked = step_message(w, "%s%s", text, more);
	return w->marked;
}

/* Over what was copied, or is going to be. */
static void active_writes(struct walk *w)
{
	step_io(w, IO_WRITE, 4, 4);		/* what d has */
	step_part(w, IO_WRITE, 777, 3);		/* what it has not, a part */
	step_io(w, IO_ZERO, 1284, 8);
	step_io(w, IO_DISCARD, 656, 16);
	step_flush(w);
	step_part(w, IO_WRITE, 1043, 2);
}

/* To the base now, in it and beside what it has. */
static void active_writes_after(struct walk *w)
{
	step_io(w, IO_WRITE, 1200, 4);
	step_part(w, IO_WRITE, 1042, 3);
	step_part(w, IO_WRITE, 3966, 12);
	step_io(w, IO_ZERO, 1920, 8);
	step_flush(w);
	step_read_all(w);
}

/* So slow that it does not come to its end beside the guest, whose errors would be others then. */
#define ACTIVE_SLOW	" speed 4096"

static void active(struct walk *w, const char *policy)
{
	char text[128];

	if (!active_start(w, policy, ACTIVE_SLOW, text, sizeof(text)))
		return;
	active_writes(w);
	step_message(w, "job-set-speed 0");
	step_job(w, text, w->base + 1);
	active_writes_after(w);
}

static void active_report(struct walk *w)
{
	active(w, "report");
}

static void active_stop(struct walk *w)
{
	active(w, "stop");
}

static void active_verify(struct walk *w)
{
	w->verify = true;
	active_stop(w);
}

static void active_kept(struct walk *w, const char *policy)
{
	char text[128], again[160];

	if (!active_start(w, policy, " keep", text, sizeof(text)))
		return;
	snprintf(again, sizeof(again), "%s keep", text);
	step_io(w, IO_WRITE, 1000, 4);
	if (!step_job_ready(w, again))
		return;
	active_writes(w);
	step_message(w, "job-complete");
	step_job(w, text, w->base + 1);
	active_writes_after(w);
}

static void active_keep(struct walk *w)
{
	active_kept(w, "report");
}

static void active_keep_stop(struct walk *w)
{
	active_kept(w, "stop");
}

/* It is there again, and goes on, when the table is loaded the next time. */
static void active_removed(struct walk *w)
{
	char text[128];

	if (!active_start(w, "report", " keep" ACTIVE_SLOW, text, sizeof(text)))
		return;
	active_writes(w);
	step_remove(w);
}

static void active_in_reload(struct walk *w)
{
	char text[128];

	if (!active_start(w, "stop", ACTIVE_SLOW, text, sizeof(text)))
		return;
	step_io(w, IO_WRITE, 1000, 4);
	step_reload(w);
	if (!step_job_there(w))
		return;
	active_writes(w);
	step_message(w, "job-set-speed 0");
	step_job(w, text, w->base + 1);
	step_flush(w);
}

/* ---- suspend, reload, removal ---- */

static void suspend_resume(struct walk *w)
{
	step_io(w, IO_WRITE, 300, 8);
	step_suspend(w);
	step_resume(w);
	step_io(w, IO_WRITE, 330, 8);
	step_part(w, IO_READ, 600, 64);
}

static void reload(struct walk *w)
{
	step_io(w, IO_WRITE, 300, 8);
	step_reload(w);
	step_io(w, IO_WRITE, 304, 8);
	step_part(w, IO_WRITE, 333, 3);
	step_flush(w);
	step_read_all(w);
}

static void removal(struct walk *w)
{
	step_io(w, IO_WRITE, 300, 8);
	step_part(w, IO_WRITE, 1111, 3);
	step_remove(w);
}

static void reload_in_job(struct walk *w)
{
	w->policy = "stop";
	w->backing = "";
	if (!step_message(w, "stream speed 4096 on-error stop"))
		return;
	step_reload(w);
	if (!step_job_there(w))
		return;
	step_io(w, IO_WRITE, 304, 8);
	step_message(w, "job-set-speed 0");
	step_job(w, "stream on-error stop", 1);
	step_flush(w);
}

const struct scenario scenarios[] = {
	{ "activate", "activation of an image that is new, first reads", nothing, activate, false },
	{ "activate-used", "activation of an image with an identity",
	  used_before, activate_again, false },
	{ "read", "cold and warm reads of all layers", have_chain, read_cold, false },
	{ "write", "whole and partial writes, flushes", have_chain, write_all_ways, false },
	{ "fua", "FUA writes, shared commits", have_data, fua_and_flush, false },
	{ "zero", "discards and write zeroes", have_chain, zero_and_discard, false },
	{ "stream-report", "stream without a base, policy report", have_data, stream_report, true },
	{ "stream-stop", "the same, policy stop", have_data, stream_stop, true },
	{ "stream-enospc", "the same, policy enospc", have_data, stream_enospc, true },
	{ "stream-verify", "policy stop, with what is copied read back",
	  have_data, stream_verify, true },
	{ "stream-base", "stream with a base, policy report", have_data, stream_base, true },
	{ "stream-base-stop", "the lowest as base, policy stop",
	  have_data, stream_base_stop, true },
	{ "stream-named", "with a name for the header", have_data, stream_named, true },
	{ "stream-once", "stream that is not tried again", have_data, refused_stream, true },
	{ "job-control", "speed, pause, resume, cancel", have_data, job_control, true },
	{ "snapshot", "snapshot with dirty bits, writes after it",
	  have_data, take_snapshot, false },
	{ "snapshot-in-two", "snapshot in two steps", have_data, take_in_two, false },
	{ "snapshot-once", "snapshot that is not tried again", have_data, refused_snapshot, true },
	{ "copy", "snapshot, then stream into it", have_data, copy_disk, true },
	{ "stream-lower", "into d below e, policy report", have_lower, lower_report, true },
	{ "stream-lower-stop", "the same with a base, policy stop", have_lower, lower_stop, true },
	{ "stream-lower-reload", "the table again, during such a stream",
	  have_lower, lower_in_reload, true },
	{ "snapshot-in-stream", "e on d, while a stream goes into that",
	  have_data, snapshot_in_stream, true },
	{ "commit-report", "d into c, policy report", have_committed, commit_report, true },
	{ "commit-stop", "the same, policy stop", have_committed, commit_stop, true },
	{ "commit-verify", "the same, with what is copied read back",
	  have_committed, commit_verify, true },
	{ "commit-raw", "b, c and d into a raw disk, policy report",
	  have_committed_raw, commit_report, true },
	{ "commit-raw-stop", "the same, policy stop", have_committed_raw, commit_stop, true },
	{ "commit-raw-verify", "the same, with what is copied read back",
	  have_committed_raw, commit_verify, true },
	{ "commit-up", "e into d, policy report", have_committed_up, commit_report, true },
	{ "commit-up-stop", "the same, policy stop", have_committed_up, commit_stop, true },
	{ "commit-remove", "removal during a commit", have_committed, commit_removed, true },
	{ "commit-reload", "the table again, during a commit",
	  have_committed, commit_in_reload, true },
	{ "active-report", "the top into c, policy report", have_active, active_report, true },
	{ "active-stop", "the same, policy stop", have_active, active_stop, true },
	{ "active-verify", "the same, with what is copied read back",
	  have_active, active_verify, true },
	{ "active-keep", "the top into c when it is told, policy report",
	  have_active, active_keep, true },
	{ "active-keep-stop", "the same, policy stop", have_active, active_keep_stop, true },
	{ "active-up", "the top into d, policy report", have_active_up, active_report, true },
	{ "active-up-keep", "the same when it is told, policy stop",
	  have_active_up, active_keep_stop, true },
	{ "active-remove", "removal during a commit of the top",
	  have_active, active_removed, true },
	{ "active-reload", "the table again, during a commit of the top",
	  have_active, active_in_reload, true },
	{ "suspend", "suspend and resume with dirty bits", have_data, suspend_resume, false },
	{ "reload", "the table again, with dirty bits", have_data, reload, false },
	{ "reload-job", "the table again, during a stream", have_data, reload_in_job, true },
	{ "remove", "removal with dirty bits", have_data, removal, true },
};
const size_t n_scenarios = ARRAY_SIZE(scenarios);
