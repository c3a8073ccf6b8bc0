/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A job: its life, and what its thread and its copies share with those who control it. Others than
 * the files of a job use job-control.h.
 */
#ifndef COWCHAIN_JOB_H
#define COWCHAIN_JOB_H

#include <linux/bitmap.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/wait.h>

#include "view.h"

#define CC_COPY_SECTORS		2048U		/* 1 MiB in one copy */
#define CC_COPY_PAGES		(CC_COPY_SECTORS / PAGE_SECTORS)
#define CC_NR_COPIES		4		/* in flight */

struct cc_active;
struct cc_block;
struct cc_first;
struct cc_job;

/* QMP's JobStatus, as far as a stream goes through it. */
enum cc_job_state {
	CC_JOB_CREATED, CC_JOB_RUNNING, CC_JOB_PAUSED, CC_JOB_ABORTING, CC_JOB_CONCLUDED,
};

/* QMP's BlockDeviceIoStatus. */
enum cc_io_status { CC_IO_OK, CC_IO_FAILED, CC_IO_NOSPACE };

enum cc_on_error { CC_ON_ERROR_REPORT, CC_ON_ERROR_STOP, CC_ON_ERROR_ENOSPC };

/**
 * struct cc_job_args - what a job is asked to do.
 * @speed: bytes per second, 0 unlimited.
 * @backing_name: the name of the base in the header; NULL for what the layer above the base says.
 * @backing_format: with @backing_name.
 * @verify: read back what was copied.
 * @seen: for cc_check_seen(): where the layers were found that the message names.
 * @recorded: it continues what a header has recorded, and starts only if that is still so.
 */
struct cc_job_args {
	u64 speed;
	u64 seen;
	enum cc_on_error on_error;
	const char *backing_name;
	const char *backing_format;
	bool paused;
	bool verify;
	bool recorded;
};

/**
 * struct cc_copy - a range of one block that is being copied into the top, or into a lower layer.
 * @busy: the copy is under way; set by the thread, cleared by @work.
 * @b: pinned while @busy. NULL if the target is raw.
 * @first, @end: subclusters of @b.
 * @pos: where @first begins, in sectors of the guest's disk.
 * @sectors, @wanted: of a commit: what is read, and which of it is to be written.
 * @retry: where the job goes back to if this fails, in sectors.
 * @cost: what it has taken from the speed limit, in ns.
 * @written: sectors that were written as data.
 * @back: what was written is read back to these, like @pages; NULL if the job does not verify.
 */
struct cc_copy {
	struct cc_job *job;
	struct work_struct work;
	bool busy;
	struct cc_block *b;
	u32 first, end;
	sector_t pos;
	sector_t retry;
	u32 sectors;
	DECLARE_BITMAP(wanted, CC_COPY_SECTORS);
	u64 cost;
	u32 written;
	struct page **back;
	struct page *pages[CC_COPY_PAGES];
};

/**
 * struct cc_job_ops - what a kind of job does; all of it returns 0 or -errno unless said otherwise.
 * @type: QCOW2_IDENT_JOB_STREAM or QCOW2_IDENT_JOB_COMMIT.
 * @name: in the status line and in log messages.
 * @own_view: the view of the job is its own, and no reference to that of the guest.
 * @begin: before the first step; may be NULL.
 * @step: starts the next copy from job->pos on, or moves job->pos over what need not be copied. The
 *	error is that of finding out what to copy.
 * @again: all copies have ended, and job->pos is job->len. 1: job->pos is further back now; 0: that
 *	was all; may be NULL.
 * @settle: everything has been copied: makes most of it durable; may be NULL. cc->ctl is not held.
 * @complete: then makes all of it durable, changes the header that names the base, and makes the
 *	view that follows @old: that, or ERR_PTR. cc->ctl is held.
 * @undo: @complete has failed, and cc->ctl is not held any more; may be NULL.
 * @end: no copy is under way any more. @error: 0 if the chain is shorter now, otherwise job->view
 *	is still there. Also of a job whose thread has never run; cc->ctl may be held then.
 * @release: after @end, and after the record has been dropped: gives back what job->target still
 *	is; may be NULL. Like @end, but also of a job that has no view yet.
 *
 * Context: process, the job's thread.
 */
struct cc_job_ops {
	u32 type;
	const char *name;
	bool own_view;
	int (*begin)(struct cc_job *job);
	int (*step)(struct cc_job *job);
	int (*again)(struct cc_job *job);
	int (*settle)(struct cc_job *job);
	struct cc_view *(*complete)(struct cc_job *job, struct cc_view *old);
	void (*undo)(struct cc_job *job);
	void (*end)(struct cc_job *job, int error);
	void (*release)(struct cc_job *job);
};

/**
 * struct cc_job - a stream, or a commit.
 *
 * The letter behind a field tells what protects it:
 *
 *  I: set before the thread runs, never changed after it.
 *  C: cc->ctl.
 *  T: only the thread uses it while there is one.
 *  t: written by the thread, read by others with READ_ONCE().
 *  L: @lock.
 *  W: written under @lock; also read without, with READ_ONCE().
 *
 * @view: of a stream: the chain up to the layer that is written, which is the top of this view. The
 *	job has it alone, so that snapshots can be taken. Of a commit: a reference to the current
 *	view, which keeps its layers. A commit of the top publishes another one with the same layers
 *	when it begins.
 * @top: index of that layer, or of the topmost one that a commit copies.
 * @base: index of the base in the chain, -1 for none. A commit copies into it.
 * @header: the layer that records the job, and is to name the base; NULL once that is done.
 * @lower: a stream that writes to a layer below the top. (@header may be freed when the job ends.)
 * @target: a layer below the top that is written, opened for that; see job-target.c. If a snapshot
 *	has made it one, it is the layer of the chain itself.
 * @lost: a flush of a raw @target has failed with that error; see commit.c.
 * @sync_wq, @words: what the writer of @target works with, also if it is not there yet.
 * @source: of a commit: the chain up to the layers that are copied.
 * @active: of a commit of the top, instead of @source; otherwise NULL.
 * @len: sectors of the image.
 * @pos: sectors; everything before it was copied or is being copied.
 * @copy: CC_NR_COPIES of them; NULL once the job has concluded.
 * @next: when the next copy is due by the speed limit; see cc_job_throttle().
 * @speed: bytes per second, 0 unlimited.
 * @first: parts that are copied first, see first.c; NULL if there never were any.
 * @verify: see verify.c.
 * @verified: bytes that were read back and found right.
 * @ending: the header was about to say that the base is below. After an error it may say so.
 * @quiet: no I/O is done and none will be, until the job is resumed; if the device is suspended,
 *	copies may still read.
 * @writing: copies that write, and what makes them durable.
 * @stopped: an error has set @pause.
 * @frozen: the device is suspended.
 * @asleep: the machine is suspended or hibernates.
 * @error, @error_pos: first failure among the copies; sectors.
 * @shown_error: positive errno for the status line.
 */
struct cc_job {
	struct cowchain *cc;			/* I */
	const struct cc_job_ops *ops;		/* I */
	refcount_t refs;
	struct task_struct *task;		/* I */
	struct cc_view *view;			/* T */
	int top;				/* I */
	int base;				/* I */
	struct cc_layer *header;		/* C */
	bool lower;				/* C */
	struct mutex target_lock;		/* inside of cc->ctl */
	struct cc_layer *target;		/* @target_lock to change it, or for others; T */
	int lost;				/* xchg() */
	struct workqueue_struct *sync_wq;	/* T */
	mempool_t words;			/* T */
	struct cc_view *source;			/* T */
	struct cc_active *active;		/* I; has its own letters */
	enum cc_on_error on_error;		/* I */
	char *backing_name;			/* I */
	char backing_format[16];		/* I */
	bool backing_given;			/* I */
	bool verify;				/* I */
	bool ending;				/* T */
	atomic64_t verified;
	sector_t len;				/* I */
	sector_t pos;				/* t */
	struct workqueue_struct *wq;		/* T */
	struct cc_copy *copy;			/* L; the thread reads it without */
	wait_queue_head_t wait;

	spinlock_t lock;			/* inside of cc->ctl */
	s64 next;				/* W */
	enum cc_job_state state;		/* W */
	enum cc_io_status io_status;		/* L */
	u64 speed;				/* W */
	struct cc_first *first;			/* W; what is in it: L */
	bool quiet;				/* W */
	unsigned int writing;			/* W */
	bool pause;				/* W */
	bool stopped;				/* W */
	bool cancel;				/* W */
	bool frozen;				/* W */
	bool asleep;				/* W */
	int error;				/* W */
	sector_t error_pos;			/* L */
	int shown_error;			/* W */
};

static inline bool cc_job_is_active(struct cc_job *job)
{
	return job && READ_ONCE(job->state) != CC_JOB_CONCLUDED;
}

/* Life. Context: process. */

/* A job with one reference and without a thread, or NULL without memory. */
struct cc_job *cc_job_create(struct cowchain *cc, const struct cc_job_ops *ops);

/* Make the thread that runs @fn(job), not running yet. Return: 0 or -errno. */
int cc_job_make_thread(struct cc_job *job, int (*fn)(void *job));

/* Let it run; nothing can fail any more. cc->ctl is held. */
void cc_job_start(struct cc_job *job);

/* Instead of starting it. */
void cc_job_discard(struct cc_job *job);

/* Make @job (or NULL) the one everybody sees; stop and put the one before it. */
void cc_job_install(struct cowchain *cc, struct cc_job *job);

/*
 * The thread has done its work, or never does: let go what the job has of the chain. cc->ctl may be
 * held if it has never run.
 */
void cc_job_let_go(struct cc_job *job);

/* Is a job running or paused? */
bool cc_job_active(struct cowchain *cc);

/* Before another table may use its layers: sync what the job writes to. The job is frozen. */
void cc_job_suspend_target(struct cc_job *job);

/* The job everybody sees, with a reference, or NULL. */
struct cc_job *cc_job_get(struct cowchain *cc);
void cc_job_put(struct cc_job *job);

/* The side of the thread and its copies. Context: process. */

/* Is the job paused or frozen, or is the machine going to sleep? For the thread only. */
bool cc_job_must_park(struct cc_job *job);

/* Wait as long as the job is paused or frozen. Return: 0 or -ECANCELED. */
int cc_job_gate(struct cc_job *job);

/* Wait for all copies. Return: false if the job has to park before all have ended. */
bool cc_job_wait_copies(struct cc_job *job);

/*
 * A copy has been read and is to be written: wait as long as the device is suspended. Return: false
 * if the job was cancelled; then nothing is written. Otherwise cc_job_end_write() follows.
 */
bool cc_job_begin_write(struct cc_job *job);
void cc_job_end_write(struct cc_job *job);

/*
 * The same for the thread, which must not wait but where it parks: the machine could not go to
 * sleep. Return: 0, -EAGAIN if it has to park, or -ECANCELED.
 */
int cc_job_try_write(struct cc_job *job);

/* The same, but park first as long as it has to. Return: 0 or -ECANCELED. */
int cc_job_enter_write(struct cc_job *job);

/* Wait for all copies. Return: 0, or the error of the first in @pos that failed. */
int cc_job_drain(struct cc_job *job, sector_t *pos);

/* A copy, or finding out what to copy, has failed at @pos. */
void cc_job_failed(struct cc_job *job, sector_t pos, int error);

/* Wait until the speed limit allows a copy of @bytes. Return: what that takes of it, in ns. */
u64 cc_job_throttle(struct cc_job *job, u64 bytes);

/* How many sectors one copy may take, a multiple of @unit: a quarter of a second at the limit. */
u32 cc_job_copy_max(struct cc_job *job, u32 unit);

/* Give back to the speed limit what a copy has not used. The caller wakes up the thread. */
void cc_job_refund(struct cc_job *job, u64 ns);

/* Another limit, which starts now; 0 for none. Context: any. */
void cc_job_limit(struct cc_job *job, u64 speed);

/* Pause with an error until somebody resumes the job. */
void cc_job_stop_on_error(struct cc_job *job, int error);

/* The end: status, event. The thread does nothing after it. */
void cc_job_conclude(struct cc_job *job, int error);

#endif /* COWCHAIN_JOB_H */
