/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the users of a chain read, and which layer has it: the tracepoint cowchain_map of the kernel module. It is
 * followed in an instance of tracefs that is ours alone, so other tracing is not disturbed.
 */
#ifndef COWCHAIN_READS_H
#define COWCHAIN_READS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One read that a layer serves with data. Bytes. */
struct one_read {
	uint64_t offset, length;
	int layer;
};

struct reads {
	char *dir;		/* of the instance */
	int pipe;
	bool lost;		/* there was more than could be followed */
	size_t start, end;	/* of what was not looked at yet, in buf */
	char buf[65536];
};

/*
 * Begin to follow what layers of a device serve: those from the number low on, up to high, without that. A process that
 * was killed leaves its instance behind; this removes those. Returns 0, or -1 after a message.
 */
int reads_open(struct reads *reads, dev_t dev, unsigned int low, unsigned int high);
/*
 * Take some of what has come since, at most what fits into the buffer. Whoever does so again and again looks at other
 * things meanwhile: a busy guest may read faster than this. Returns false if there is nothing now.
 */
bool reads_fill(struct reads *reads);
/* The next one of what was taken. Returns false if there is none. */
bool reads_next(struct reads *reads, struct one_read *one);
/* From now on nothing new comes; what has come can be taken. Returns 0, or -1 without a message. */
int reads_stop(const struct reads *reads);
/* Another process takes it: this one only removes the instance in the end, by reads_close(). */
void reads_leave(struct reads *reads);
void reads_close(struct reads *reads);

/* Was the instance of this name made by a process that is no longer there? */
bool reads_is_stale(const char *name);
/* A line of trace_pipe. Returns false if it is none of a read that a layer serves. */
bool reads_parse(const char *line, struct one_read *one);

#endif
