// SPDX-License-Identifier: GPL-2.0-only
/*
 * chainstress for a power loss: marks in dm-log-writes, and the record of what was written when.
 *
 * A mark is "KIND A N": N is its own number, A depends on the kind:
 *	f	a flush that was submitted at tick A ended: what was acknowledged by then is durable
 *	u	FUA write number A ended
 *	b, d	message number A is about to be sent, was acknowledged
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/aio_abi.h>

#include "dm.h"
#include "power-loss.h"
#include "report.h"

void crash_mark(struct stress *s, char kind, uint64_t a)
{
	uint64_t n = atomic_fetch_add(&s->n_marks, 1);
	int err;

	if (n >= s->max_marks)
		die("more marks than operations");
	err = dm_message(s->log_writes, "mark %c-%" PRIu64 "-%" PRIu64, kind, a, n);
	if (err)
		stress_fail(s, "mark: %s", strerror(err));
	/* All that precedes the mark in the log was submitted before this tick. */
	s->mark_tick[n] = atomic_fetch_add(&s->clock, 1);
}

void crash_mark_op(struct stress *s, uint64_t id)
{
	const struct op *op = &s->log[id];

	if (!s->log_writes)
		return;
	if (op->kind == OP_FLUSH)
		crash_mark(s, 'f', op->submit);
	else if (op->kind == OP_FUA)
		crash_mark(s, 'u', id);
}

int crash_write_fua(int fd, const void *buf, size_t len, uint64_t off)
{
	static __thread aio_context_t ctx;
	struct iocb io = {
		.aio_lio_opcode = IOCB_CMD_PWRITE,
		.aio_rw_flags = RWF_DSYNC,
		.aio_fildes = fd,
		.aio_buf = (uintptr_t)buf,
		.aio_nbytes = len,
		.aio_offset = off,
	};
	struct iocb *list[] = { &io };
	struct io_event done;

	if (!ctx && syscall(SYS_io_setup, 1, &ctx))
		return errno;
	if (syscall(SYS_io_submit, ctx, 1, list) != 1 ||
	    syscall(SYS_io_getevents, ctx, 1, 1, &done, NULL) != 1)
		return errno;
	if ((int64_t)done.res < 0)
		return -(int64_t)done.res;
	return (uint64_t)done.res == len ? 0 : EIO;
}

void crash_prepare(struct stress *s)
{
	s->max_marks = s->ops + 2 * s->n_script + 8;
	s->mark_tick = xalloc(s->max_marks * sizeof(*s->mark_tick));
}

void crash_record(struct stress *s)
{
	static const char letters[] = "wuzdfr";
	FILE *f = fopen(s->record, "w");
	uint64_t i;

	if (!f)
		die("%s: %s", s->record, strerror(errno));
	fprintf(f, "seed %" PRIu64 "\n", s->seed);
	for (i = 0; i < s->n_script; i++)
		fprintf(f, "message %" PRIu64 " %s\n", i, strchr(s->script[i], ':') + 1);
	for (i = 0; i < s->n_marks; i++)
		fprintf(f, "mark %" PRIu64 " %" PRIu64 "\n", i, s->mark_tick[i]);
	for (i = 1; i < s->next; i++) {
		const struct op *op = &s->log[i];

		if (op->kind != OP_READ)
			fprintf(f, "op %" PRIu64 " %c %u %u %" PRIu64 " %" PRIu64 "\n", i,
				letters[op->kind], op->sector, op->sectors, op->submit, op->ack);
	}
	if (fclose(f))
		die("%s: cannot write", s->record);
}
