/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads and changes qcow2 images. Written from the specification of the format, independently of
 * the kernel's parser: a mistake there must not cancel itself out here.
 */
#ifndef COWCHAIN_TEST_QIMG_H
#define COWCHAIN_TEST_QIMG_H

#include <stdbool.h>
#include <stdint.h>

#define QEXT_END		0u
#define QEXT_BACKING_FORMAT	0xe2792acau
#define QEXT_DATA_FILE		0x44415441u

struct qimg {
	int fd;
	unsigned int cluster_bits;
	bool extended_l2;
	uint64_t size;		/* of the guest's disk, in bytes */
	uint64_t l1_offset;
	uint32_t l1_size;
	uint32_t header_length;
};

struct qfield {
	const char *name;
	unsigned int offset;
	unsigned int bytes;
};

extern const struct qfield qfields[];

void qimg_open(struct qimg *q, const char *file, bool writable);
void qimg_close(struct qimg *q);

uint64_t qimg_get(struct qimg *q, uint64_t off, unsigned int bytes);
void qimg_put(struct qimg *q, uint64_t off, unsigned int bytes, uint64_t value);
/* Dies on unknown names. */
const struct qfield *qfield_find(const char *name);

/* The number of guest clusters. */
uint64_t qimg_clusters(const struct qimg *q);
/* The offset of the L2 entry of guest cluster @cluster; 0: no table. */
uint64_t qimg_l2_entry(struct qimg *q, uint64_t cluster);

/* @name NULL: no backing file. The format extension goes with it. */
void qimg_set_backing(struct qimg *q, const char *name, const char *format);
/* Adds or replaces a header extension. */
void qimg_set_ext(struct qimg *q, uint32_t type, const void *data, uint32_t len);
/* Backing file's name in a static buffer, "" if none. */
const char *qimg_backing(struct qimg *q);
/* Contents of an extension in a static buffer, NULL if there is none. */
const char *qimg_ext(struct qimg *q, uint32_t type, uint32_t *len);

#endif
