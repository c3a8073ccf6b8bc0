/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A job: what others ask of it; then the kthread's state, what controls it,
 * what copies for it.
 */
#ifndef COWCHAIN_JOB_H
#define COWCHAIN_JOB_H

#include "cowchain.h"

enum cc_on_error { CC_ON_ERROR_REPORT, CC_ON_ERROR_STOP, CC_ON_ERROR_ENOSPC };

struct cc_stream_args {
	u64 speed;			/* bytes per second, 0 unlimited */
	enum cc_on_error on_error;
	const char *backing_name;	/* NULL: what the layer above the base says */
	const char *backing_format;
	bool paused;
};

/* stream.c.  Process, cc->ctl held.  0 or -errno. */
int cc_stream_start(struct cowchain *cc, const struct cc_stream_args *args);
/* Start what the top's header has recorded, paused if that says so and @may_pause. */
int cc_stream_continue(struct cowchain *cc, bool may_pause);
/* The index of the selected base in the chain, -1: none. */
int cc_base_index(struct cowchain *cc, struct cc_view *view);
/*
 * The index of a recorded job's base: by its identity; by its number if it has
 * none.  -1: none; -ENOENT: it is not in the chain.  Any.
 */
int cc_recorded_base(struct cc_view *view, const struct q2_ident_job *record);
/* Is there something to continue, or to cancel?  Process, cc->ctl held. */
bool cc_stream_recorded(struct cowchain *cc);
/* End a recorded job that does not run; -ENOENT if there is none.  As above. */
int cc_stream_drop(struct cowchain *cc);

/* job.c.  Process, cc->ctl not held unless said otherwise.  0 or -errno. */
/* Any lock. */
bool cc_job_active(struct cowchain *cc);
int cc_job_pause(struct cowchain *cc);
int cc_job_resume(struct cowchain *cc);
int cc_job_cancel(struct cowchain *cc);
int cc_job_set_speed(struct cowchain *cc, u64 speed);
/* No I/O by the job from here on, until cc_job_unfreeze(). */
void cc_job_freeze(struct cowchain *cc);
void cc_job_unfreeze(struct cowchain *cc);
/* Cancel if need be, wait and free. */
void cc_job_destroy(struct cowchain *cc);
/* Words of the status line, from "#job words" on.  Returns bytes; any lock. */
unsigned int cc_job_status(struct cowchain *cc, char *result, unsigned int maxlen);

/* ------------------------------------------------------------ inside of a job */

#define CC_COPY_SECTORS		2048U		/* 1 MiB in one copy */
#define CC_COPY_PAGES		(CC_COPY_SECTORS / PAGE_SECTORS)
#define CC_NR_COPIES		4		/* in flight */

/* QMP's JobStatus, as far as a stream goes through it. */
enum cc_job_state {
	CC_JOB_CREATED, CC_JOB_RUNNING, CC_JOB_PAUSED, CC_JOB_ABORTING, CC_JOB_CONCLUDED,
};

/* QMP's BlockDeviceIoStatus. */
enum cc_io_status { CC_IO_OK, CC_IO_FAILED, CC_IO_NOSPACE };

/**
 * struct cc_copy - a range of one block that is being copied into the top.
 * @b: pinned while @busy.
 * @first, @end: subclusters of @b.  @pos: where that begins, sectors.
 */
struct cc_copy {
	struct cc_job *job;
	struct work_struct work;
	bool busy;
	struct cc_block *b;
	u32 first, end;
	sector_t pos;
	struct page *pages[CC_COPY_PAGES];
};

/**
 * struct cc_job - a stream.
 * @view: the view it began with; a reference keeps its layers.  No snapshot is
 *	taken while a job runs, so it stays the current one.
 * @base: index of the base in the chain, -1 for none.
 * @pos: sectors; everything before it was copied or is being copied.
 * @lock: protects the fields from @state to @error_pos.
 * @quiet: no I/O is done and none will be, unless the job is let go on.
 * @stopped: it was an error that has set @pause.
 * @frozen: the device is suspended.
 * @error, @error_pos: first failure among the copies; sectors.
 * @shown_error: positive errno for the status line.
 * @next: when the next copy may start, for the speed limit.
 */
struct cc_job {
	struct cowchain *cc;
	refcount_t refs;
	struct task_struct *task;
	struct cc_view *view;
	int base;
	enum cc_on_error on_error;
	char *backing_name;
	char backing_format[16];
	bool backing_given;
	sector_t len;
	sector_t pos;
	struct workqueue_struct *wq;
	struct cc_copy *copy;
	wait_queue_head_t wait;
	ktime_t next;

	spinlock_t lock;		/* what follows */
	enum cc_job_state state;
	enum cc_io_status io_status;
	u64 speed;
	bool quiet;
	bool pause;
	bool stopped;
	bool cancel;
	bool frozen;
	int error;
	sector_t error_pos;
	int shown_error;
};

/* job.c: what the thread and the messages share.  Process. */
struct cc_job *cc_job_create(struct cowchain *cc);
void cc_job_put(struct cc_job *job);
/* The thread that does it, not running yet.  0 or -errno. */
int cc_job_make_thread(struct cc_job *job);
/* Let it run; nothing can fail any more. */
void cc_job_start(struct cc_job *job);
/* Instead of starting it. */
void cc_job_discard(struct cc_job *job);
/* Wait as long as the job is paused or frozen.  0 or -ECANCELED. */
int cc_job_gate(struct cc_job *job);
/* Wait for all copies; then the error and position of the first that failed. */
int cc_job_drain(struct cc_job *job, sector_t *pos);
void cc_job_failed(struct cc_job *job, sector_t pos, int error);
/* Respect the speed limit before @bytes are copied. */
void cc_job_throttle(struct cc_job *job, u64 bytes);
/* Park with an error until somebody resumes. */
void cc_job_stop_on_error(struct cc_job *job, int error);

/* The end: status, event.  The thread does nothing after it. */
void cc_job_conclude(struct cc_job *job, int error);

/* stream.c */
int cc_stream_thread(void *data);

/* copy.c */
/* A free slot, or NULL if a copy failed or the job must park.  Process. */
struct cc_copy *cc_copy_get(struct cc_job *job);
/* Copy subclusters [first, end) of @b; takes over the caller's pin. */
void cc_copy_start(struct cc_copy *copy, struct cc_block *b, u32 first, u32 end);
bool cc_copy_idle(struct cc_job *job);

#endif /* COWCHAIN_JOB_H */
