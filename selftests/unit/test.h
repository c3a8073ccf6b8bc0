/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Unit tests: TAP, and headers to start from.
 */
#ifndef COWCHAIN_UNIT_TEST_H
#define COWCHAIN_UNIT_TEST_H

#include "qcow2.h"

#define CLUSTER		131072u
#define DEV_SIZE	(64ull << 20)	/* of the device that holds the image */
#define GUEST_SIZE	(16ull << 20)

/* If @cond does not hold, prints where, and ends the current test as failed. */
#define CHECK(cond, ...) \
	do { \
		if (!(cond)) { \
			test_fail(__FILE__, __LINE__, #cond, " " __VA_ARGS__); \
			return; \
		} \
	} while (0)

void test_fail(const char *file, int line, const char *cond, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

struct test {
	const char *name;
	void (*fn)(void);
};

/* Return: true if the test failed. */
bool test_run(const struct test *t);

extern const struct test header_tests[];
extern const struct test entry_tests[];
extern const struct test update_tests[];
extern const struct test ident_tests[];
extern const struct test unpack_tests[];
extern const struct test crash_tests[];

/*
 * A header cluster as QEMU writes it for a prepared image of 16 MiB with the backing file
 * "a.raw", format "raw": L1 at 3 clusters, refcount table at 1 cluster.
 */
void make_header(void *buf);
void put32(void *buf, size_t off, u32 v);
void put64(void *buf, size_t off, u64 v);
/* Parses @buf as if it lay on a device of DEV_SIZE bytes. */
int parse(const void *buf, struct q2_info *info);
extern struct q2_error last_error;

/* Offsets of header fields. */
enum {
	H_VERSION = 4, H_BACKING = 8, H_BACKING_LEN = 16, H_CLUSTER_BITS = 20, H_SIZE = 24,
	H_CRYPT = 32, H_L1_SIZE = 36, H_L1 = 40, H_RT = 48, H_RT_CLUSTERS = 56,
	H_SNAPSHOTS = 60, H_SNAP_OFFSET = 64, H_INCOMPAT = 72, H_COMPAT = 80, H_AUTOCLEAR = 88,
	H_REFCOUNT_ORDER = 96, H_LENGTH = 100,
};

#endif
