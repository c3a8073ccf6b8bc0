// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of the pure qcow2 code: runs them all and prints TAP.
 */
#include "test.h"

static unsigned int run(const struct test *t, unsigned int *n)
{
	unsigned int bad = 0;
	bool failed;

	for (; t->name; t++) {
		failed = test_run(t);
		printf("%sok %u - %s\n", failed ? "not " : "", ++*n, t->name);
		bad += failed;
	}
	return bad;
}

int main(void)
{
	unsigned int bad = 0;
	unsigned int n = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	bad += run(header_tests, &n);
	bad += run(entry_tests, &n);
	bad += run(update_tests, &n);
	bad += run(ident_tests, &n);
	bad += run(unpack_tests, &n);
	bad += run(crash_tests, &n);
	printf("1..%u\n", n);
	return bad ? 1 : 0;
}
