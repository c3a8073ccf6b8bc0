// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowio: does I/O on a block device and the same on a model file, and compares the two.
 *
 *	cowio [-m MODEL] [-u BYTES] [-r OFFSET:LENGTH] DEV OP...
 *
 * OP is [ERRNO!|ERRNO?]NAME[:OFFSET:LENGTH[:SEED]]. With ERRNO! the operation has to fail with that
 * errno, and the model does not change. With ERRNO? it may fail with it; each sector of a write
 * that failed then has to hold the old or the new contents, and what it holds goes to the model. -u
 * is the size of a subcluster, to which random discards are aligned; -r is the range for random
 * operations. One process does many operations, because starting one takes long in an emulated
 * machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/fs.h>

#include "common.h"

#define CHUNK	(1u << 20)

struct ctx {
	int dev;
	int model;		/* -1: none */
	uint64_t size;
	uint64_t unit;		/* of random discards: a discard of less need not have an effect */
	uint64_t first;		/* random operations: offset and length of their range */
	uint64_t span;
	uint64_t failed;	/* operations that failed with the errno that was allowed */
};

struct op {
	char name[16];
	int want;		/* errno that is required, or 0 */
	int may;		/* errno that is allowed, or 0 */
	uint64_t off;
	uint64_t len;
	uint64_t seed;
};

static void usage(void)
{
	fputs("usage: cowio [-m MODEL] [-u BYTES] [-r OFFSET:LENGTH] DEV OP...\n"
	      "  OP: [ERRNO!|ERRNO?]NAME:OFFSET:LENGTH[:SEED], sizes with k, M, G, offsets -N from the end\n"
	      "  write fua nowait zero discard read zeros   with offset and length\n"
	      "  byte   the same; the seed is what each byte is\n"
	      "  verify flush sleep:0:MS random:COUNT:SEED\n", stderr);
	exit(2);
}

static void fill(void *buf, uint64_t off, size_t len, uint64_t seed)
{
	size_t i;

	for (i = 0; i < len; i += SECTOR)
		sector_fill((char *)buf + i, seed, (off + i) / SECTOR, seed);
}

/* One system call for each operation: the kernel decides how to split the range. */
static int do_write(struct ctx *c, const struct op *op, int flags, void *buf)
{
	struct iovec iov = { .iov_base = buf, .iov_len = op->len };
	ssize_t n;

	if (!strcmp(op->name, "byte"))
		memset(buf, (int)op->seed, op->len);
	else
		fill(buf, op->off, op->len, op->seed);
	n = pwritev2(c->dev, &iov, 1, op->off, flags);
	if (n < 0)
		return errno;
	return (size_t)n == op->len ? 0 : EIO;
}

static int do_range(struct ctx *c, unsigned long req, const struct op *op)
{
	uint64_t range[2] = { op->off, op->len };

	return ioctl(c->dev, req, range) ? errno : 0;
}

static void first_difference(const char *got, const char *want, size_t len, uint64_t off)
{
	size_t i = 0;
	size_t s;

	while (i < len && got[i] == want[i])
		i++;
	s = i / SECTOR * SECTOR;
	fprintf(stderr, "# differs at byte %llu (sector %llu): got %s, expected %s\n",
		(unsigned long long)(off + i), (unsigned long long)(off + i) / SECTOR,
		is_zero(got + s, SECTOR) ? "zeros" : "data",
		is_zero(want + s, SECTOR) ? "zeros" : "data");
}

/* Reads [off, off + len) and compares it to the model, or to zeros with @zeros. */
static int do_read(struct ctx *c, uint64_t off, uint64_t len, bool zeros)
{
	char *got = xalloc_io(CHUNK);
	char *want = xalloc_io(CHUNK);
	int err = 0;

	while (len && !err) {
		size_t n = len < CHUNK ? len : CHUNK;

		err = pread_full(c->dev, got, n, off);
		if (err)
			break;
		if (!zeros && c->model >= 0 && pread_full(c->model, want, n, off))
			die("model is too short at %llu", (unsigned long long)off);
		if ((zeros || c->model >= 0) && memcmp(got, want, n)) {
			first_difference(got, want, n, off);
			err = EILSEQ;
		}
		off += n;
		len -= n;
	}
	free(got);
	free(want);
	return err;
}

static void model_write(struct ctx *c, const struct op *op, const void *buf)
{
	int err;

	if (c->model < 0)
		return;
	err = pwrite_full(c->model, buf, op->len, op->off);
	if (err)
		die("model: %s", strerror(err));
}

/*
 * A write of @want has failed, which is allowed. Any of its sectors may have been written, but none
 * in part.
 */
static int settle(struct ctx *c, const struct op *op, const char *want)
{
	char *got = xalloc_io(op->len);
	char *old = xalloc_io(op->len);
	int err = pread_full(c->dev, got, op->len, op->off);
	size_t i;

	if (c->model < 0 || pread_full(c->model, old, op->len, op->off))
		die("%s: a model is needed where a write may fail", op->name);
	for (i = 0; i < op->len && !err; i += SECTOR) {
		if (!memcmp(got + i, old + i, SECTOR) || !memcmp(got + i, want + i, SECTOR))
			continue;
		first_difference(got + i, old + i, SECTOR, op->off + i);
		err = EILSEQ;
	}
	if (!err)
		model_write(c, op, got);
	free(got);
	free(old);
	c->failed++;
	return err;
}

static int end_write(struct ctx *c, const struct op *op, const void *buf, int err)
{
	if (!err)
		model_write(c, op, buf);
	else if (err == op->may)
		err = settle(c, op, buf);
	return err;
}

static int run_write(struct ctx *c, const struct op *op, int flags)
{
	void *buf = xalloc_io(op->len);
	int err = do_write(c, op, flags, buf);

	err = end_write(c, op, buf, err);
	free(buf);
	return err;
}

static int run_zero(struct ctx *c, const struct op *op, unsigned long req)
{
	void *buf = xalloc_io(op->len);
	int err = do_range(c, req, op);

	err = end_write(c, op, buf, err);
	free(buf);
	return err;
}

static int run_op(struct ctx *c, const struct op *op);

static void random_op(struct ctx *c, struct rng *r, struct op *op)
{
	static const char *const names[] = { "write", "write", "write", "zero", "discard",
					     "read", "read", "fua" };
	uint64_t max = rng_below(r, 4) ? 32 : 512;
	uint64_t unit;

	memset(op, 0, sizeof(*op));
	strcpy(op->name, names[rng_below(r, ARRAY_SIZE(names))]);
	unit = !strcmp(op->name, "discard") ? c->unit : SECTOR;
	op->len = (1 + rng_below(r, max)) * unit;
	if (op->len > c->span)
		op->len = c->span / unit * unit;
	op->off = c->first + rng_below(r, (c->span - op->len) / unit + 1) * unit;
	op->seed = rng_next(r) | 1;
}

static int run_random(struct ctx *c, uint64_t count, uint64_t seed, int may)
{
	struct rng r = { .state = seed };
	struct op op;
	int err;

	while (count--) {
		random_op(c, &r, &op);
		op.may = may;
		err = run_op(c, &op);
		if (err) {
			fprintf(stderr, "# random %s of %llu bytes at %llu (seed %llu)\n", op.name,
				(unsigned long long)op.len, (unsigned long long)op.off,
				(unsigned long long)seed);
			return err;
		}
	}
	return 0;
}

static int run_op(struct ctx *c, const struct op *op)
{
	if (!strcmp(op->name, "write"))
		return run_write(c, op, 0);
	/* Linux sends a flush behind it: a test of FUA alone holds that back, see cases/write.sh. */
	if (!strcmp(op->name, "fua"))
		return run_write(c, op, RWF_DSYNC);
	if (!strcmp(op->name, "nowait"))
		return run_write(c, op, RWF_NOWAIT);
	if (!strcmp(op->name, "byte"))
		return run_write(c, op, 0);
	if (!strcmp(op->name, "zero"))
		return run_zero(c, op, BLKZEROOUT);
	if (!strcmp(op->name, "discard"))
		return run_zero(c, op, BLKDISCARD);
	if (!strcmp(op->name, "flush"))
		return fsync(c->dev) ? errno : 0;
	if (!strcmp(op->name, "read"))
		return do_read(c, op->off, op->len, false);
	if (!strcmp(op->name, "zeros"))
		return do_read(c, op->off, op->len, true);
	if (!strcmp(op->name, "verify"))
		return do_read(c, 0, c->size, false);
	if (!strcmp(op->name, "sleep"))
		return usleep(op->len * 1000) ? errno : 0;
	if (!strcmp(op->name, "random"))
		return run_random(c, op->off, op->len, op->may);
	die("unknown operation: %s", op->name);
}

static void parse_op(struct ctx *c, const char *text, struct op *op)
{
	char buf[128];
	char *p = buf;
	char *save;
	char *word;
	bool may;

	memset(op, 0, sizeof(*op));
	op->seed = 1;
	if (snprintf(buf, sizeof(buf), "%s", text) >= (int)sizeof(buf))
		die("too long: %s", text);
	word = strpbrk(p, "!?");
	if (word) {
		may = *word == '?';
		*word = 0;
		*(may ? &op->may : &op->want) = errno_by_name(p);
		if (!(op->may | op->want))
			die("unknown errno: %s", p);
		p = word + 1;
	}
	word = strtok_r(p, ":", &save);
	if (!word || strlen(word) >= sizeof(op->name))
		die("no operation: %s", text);
	strcpy(op->name, word);
	word = strtok_r(NULL, ":", &save);
	if (word)
		op->off = parse_size(word, c->size);
	word = word ? strtok_r(NULL, ":", &save) : NULL;
	if (word)
		op->len = parse_size(word, c->size);
	word = word ? strtok_r(NULL, ":", &save) : NULL;
	if (word)
		op->seed = parse_size(word, 0);
}

/* True if the operation ended as expected. */
static bool check_op(struct ctx *c, const char *text)
{
	struct op op;
	int err;

	parse_op(c, text, &op);
	err = run_op(c, &op);
	if (err == op.want)
		return true;
	fprintf(stderr, "# %s: %s, expected %s\n", text,
		err == EILSEQ ? "wrong contents" : err ? strerror(err) : "success",
		op.want ? strerror(op.want) : "success");
	return false;
}

/* @range: the argument of -r, NULL for the whole device. */
static void set_range(struct ctx *c, const char *range)
{
	const char *colon = range ? strchr(range, ':') : NULL;
	char first[32];

	c->span = c->size;
	if (!range)
		return;
	if (!colon)
		usage();
	snprintf(first, sizeof(first), "%.*s", (int)(colon - range), range);
	c->first = parse_size(first, c->size);
	c->span = parse_size(colon + 1, c->size);
	if (c->first % c->unit || c->first > c->size || c->span > c->size - c->first)
		die("%s: not in the device", range);
}

int main(int argc, char **argv)
{
	struct ctx c = { .model = -1, .unit = 4096 };
	const char *range = NULL;
	bool write_ops = false;
	int i;
	int o;

	while ((o = getopt(argc, argv, "m:u:r:")) != -1) {
		if (o == 'r') {
			range = optarg;
			continue;
		}
		if (o == 'u') {
			c.unit = parse_size(optarg, 0);
			continue;
		}
		if (o != 'm')
			usage();
		c.model = open(optarg, O_RDWR);
		if (c.model < 0)
			die("%s: %s", optarg, strerror(errno));
	}
	if (argc - optind < 2)
		usage();
	for (i = optind + 1; i < argc; i++)
		write_ops |= !strstr(argv[i], "read") && strcmp(argv[i], "verify") &&
			     !strstr(argv[i], "zeros");
	c.dev = open(argv[optind], (write_ops ? O_RDWR : O_RDONLY) | O_DIRECT);
	if (c.dev < 0)
		die("%s: %s", argv[optind], strerror(errno));
	c.size = size_of_fd(c.dev);
	set_range(&c, range);
	for (i = optind + 1; i < argc; i++)
		if (!check_op(&c, argv[i]))
			return 1;
	if (c.failed)
		printf("%llu failed\n", (unsigned long long)c.failed);
	return 0;
}
