// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests: what they share.
 */
#include <stdarg.h>

#include "bytes.h"
#include "test.h"

struct q2_error last_error;
static bool failed;

void test_fail(const char *file, int line, const char *cond, const char *fmt, ...)
{
	va_list ap;

	failed = true;
	printf("# %s:%d: does not hold: %s; ", file, line, cond);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(" (%s)\n", last_error.text);
}

bool test_run(const struct test *t)
{
	failed = false;
	last_error.text[0] = 0;
	t->fn();
	return failed;
}

void put32(void *buf, size_t off, u32 v)
{
	be_put((char *)buf + off, 4, v);
}

void put64(void *buf, size_t off, u64 v)
{
	be_put((char *)buf + off, 8, v);
}

void make_header(void *buf)
{
	static const char name[] = "a.raw";

	memset(buf, 0, CLUSTER);
	put32(buf, 0, QCOW2_MAGIC);
	put32(buf, H_VERSION, 3);
	put32(buf, H_CLUSTER_BITS, 17);
	put64(buf, H_SIZE, GUEST_SIZE);
	put32(buf, H_L1_SIZE, 1);
	put64(buf, H_L1, 3 * CLUSTER);
	put64(buf, H_RT, CLUSTER);
	put32(buf, H_RT_CLUSTERS, 1);
	put64(buf, H_INCOMPAT, QCOW2_INCOMPAT_EXTL2);
	put32(buf, H_REFCOUNT_ORDER, 4);
	put32(buf, H_LENGTH, 112);
	/* backing format, an unknown extension, the end; then the name */
	put32(buf, 112, QCOW2_EXT_BACKING_FORMAT);
	put32(buf, 116, 3);
	memcpy((char *)buf + 120, "raw", 3);
	put32(buf, 128, 0x11223344);
	put32(buf, 132, 5);
	memcpy((char *)buf + 136, "hello", 5);
	put64(buf, H_BACKING, 152);
	put32(buf, H_BACKING_LEN, strlen(name));
	memcpy((char *)buf + 152, name, strlen(name));
}

int parse(const void *buf, struct q2_info *info)
{
	int len;

	last_error.text[0] = 0;
	memset(info, 0, sizeof(*info));
	len = q2_header_bytes(buf, &last_error);
	if (len < 0)
		return len;
	if (len > (int)CLUSTER)
		return -EINVAL;
	return q2_parse_header(buf, len, DEV_SIZE, info, &last_error);
}
