// SPDX-License-Identifier: GPL-2.0-only
/*
 * qcow2poke: shows and damages qcow2 metadata.
 *
 *	qcow2poke FILE header			all fields, NAME=VALUE
 *	qcow2poke FILE get FIELD
 *	qcow2poke FILE set FIELD VALUE
 *	qcow2poke FILE l1 INDEX [VALUE]
 *	qcow2poke FILE l2 CLUSTER [WORD0 [WORD1]]   '-' leaves a word as it is
 *	qcow2poke FILE u32|u64 OFFSET [VALUE]
 *	qcow2poke FILE counts			subclusters: allocated, zero, neither
 *	qcow2poke FILE backing [-|NAME FORMAT]
 *	qcow2poke FILE format			the backing format extension
 *	qcow2poke FILE ext TYPE [TEXT]
 *	qcow2poke FILE ident			uuid generation parent generation flags job base speed
 *	qcow2poke FILE punch			frees the space of subclusters that are not allocated
 *
 * Several commands can be given, separated by "--".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>

#include "bytes.h"
#include "common.h"
#include "qimg.h"

typedef unsigned long long ull;

static void usage(void)
{
	fputs("usage: qcow2poke FILE COMMAND [ARGUMENT...] [-- COMMAND...]\n"
	      "  header | get FIELD | set FIELD VALUE | l1 INDEX [VALUE]\n"
	      "  l2 CLUSTER [WORD0|- [WORD1]] | u32|u64 OFFSET [VALUE] | counts\n"
	      "  backing [-|NAME FORMAT] | format | ext TYPE [TEXT] | ident | punch\n", stderr);
	exit(2);
}

/*
 * The arithmetic of the shell is signed: a word with the highest bit set is a negative number
 * there.
 */
static uint64_t parse_word(const char *s)
{
	char *end;
	uint64_t v;

	if (*s != '-')
		return parse_size(s, 0);
	v = strtoull(s, &end, 10);
	if (*end)
		die("not a number: %s", s);
	return v;
}

static void word(struct qimg *q, uint64_t off, unsigned int bytes, const char *value)
{
	if (!value)
		printf("0x%0*llx\n", 2 * (int)bytes, (ull)qimg_get(q, off, bytes));
	else if (strcmp(value, "-"))
		qimg_put(q, off, bytes, parse_word(value));
}

static void cmd_header(struct qimg *q)
{
	const struct qfield *f;

	for (f = qfields; f->name && f->offset < q->header_length; f++)
		printf("%s=%llu\n", f->name, (ull)qimg_get(q, f->offset, f->bytes));
}

static void cmd_l2(struct qimg *q, int argc, char **argv)
{
	uint64_t off = qimg_l2_entry(q, parse_size(argv[1], 0));

	if (!off)
		die("cluster %s has no L2 table", argv[1]);
	if (argc == 2) {
		printf("0x%016llx 0x%016llx\n", (ull)qimg_get(q, off, 8),
		       q->extended_l2 ? (ull)qimg_get(q, off + 8, 8) : 0);
		return;
	}
	word(q, off, 8, argv[2]);
	if (argc > 3)
		word(q, off + 8, 8, argv[3]);
}

/* Counts only subclusters that begin inside the guest's disk. */
static void cmd_counts(struct qimg *q)
{
	uint64_t sub = (1ULL << q->cluster_bits) / 32;
	uint64_t n = (q->size + sub - 1) / sub;
	uint64_t alloc = 0;
	uint64_t zero = 0;
	uint64_t bitmap = 0;
	uint64_t off;
	uint64_t i;

	if (!q->extended_l2)
		die("no extended L2 entries");
	for (i = 0; i < n; i++) {
		if (i % 32 == 0) {
			off = qimg_l2_entry(q, i / 32);
			bitmap = off ? qimg_get(q, off + 8, 8) : 0;
		}
		alloc += bitmap >> (i % 32) & 1;
		zero += bitmap >> (32 + i % 32) & 1;
	}
	printf("%llu %llu %llu\n", (ull)alloc, (ull)zero, (ull)(n - alloc - zero));
}

static void cmd_backing(struct qimg *q, int argc, char **argv)
{
	if (argc == 1)
		puts(qimg_backing(q));
	else if (!strcmp(argv[1], "-"))
		qimg_set_backing(q, NULL, NULL);
	else if (argc == 3)
		qimg_set_backing(q, argv[1], argv[2]);
	else
		usage();
}

static void show_ext(struct qimg *q, uint32_t type)
{
	uint32_t len;
	const char *data = qimg_ext(q, type, &len);

	printf("%.*s\n", data ? (int)len : 0, data ? data : "");
}

static void cmd_ext(struct qimg *q, int argc, char **argv)
{
	uint32_t type = parse_size(argv[1], 0);

	if (argc == 2)
		show_ext(q, type);
	else
		qimg_set_ext(q, type, argv[2], strlen(argv[2]));
}

static void put_uuid(const char *p)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		printf("%02x", (uint8_t)p[i]);
}

/* The layout is that of kernel/identity-format.h, which is not included on purpose. */
static void cmd_ident(struct qimg *q)
{
	uint32_t len;
	const char *data = qimg_ext(q, 0x43774964, &len), *best = NULL;
	unsigned int i;

	for (i = 0; data && i < 3; i++) {
		const char *p = data + 160 * i;

		if (be_get(p, 4) == 0x6377696d && (!best || be_get(p + 8, 8) > be_get(best + 8, 8)))
			best = p;
	}
	if (!best) {
		puts("-");
		return;
	}
	put_uuid(best + 16);
	printf(" %llu ", (ull)be_get(best + 48, 8));
	put_uuid(best + 32);
	printf(" %llu %llu %llu %d %llu\n", (ull)be_get(best + 56, 8), (ull)be_get(best + 64, 4),
	       (ull)be_get(best + 68, 4), (int)be_get(best + 72, 4), (ull)be_get(best + 80, 8));
}

/*
 * What they contain does not matter to the format, but it takes space. Offsets of an image with an
 * external data file are in that file. The entry of a compressed cluster has no bits of subclusters.
 */
static void cmd_punch(struct qimg *q)
{
	bool here = q->extended_l2 && !(qimg_get(q, qfield_find("incompatible_features")->offset, 8) & 4);
	uint64_t sub = (1ULL << q->cluster_bits) / 32;
	uint64_t n = here ? qimg_clusters(q) : 0;
	unsigned int i;
	uint64_t c;

	for (c = 0; c < n; c++) {
		uint64_t entry = qimg_l2_entry(q, c);
		uint64_t word = entry ? qimg_get(q, entry, 8) : 0;
		uint64_t host = word >> 62 & 1 ? 0 : word & 0x00fffffffffffe00ULL;
		uint32_t alloc = host ? qimg_get(q, entry + 8, 8) : 0;

		for (i = 0; host && i < 32; i++)
			if (!(alloc >> i & 1) &&
			    fallocate(q->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				      host + i * sub, sub))
				die("cannot punch a hole: %s", strerror(errno));
	}
}

static void command(struct qimg *q, int argc, char **argv)
{
	const struct qfield *f;

	if (argc == 1 && !strcmp(argv[0], "header")) {
		cmd_header(q);
	} else if (argc == 1 && !strcmp(argv[0], "counts")) {
		cmd_counts(q);
	} else if (argc == 1 && !strcmp(argv[0], "format")) {
		show_ext(q, QEXT_BACKING_FORMAT);
	} else if (argc == 1 && !strcmp(argv[0], "ident")) {
		cmd_ident(q);
	} else if (argc == 1 && !strcmp(argv[0], "punch")) {
		cmd_punch(q);
	} else if (!strcmp(argv[0], "backing")) {
		cmd_backing(q, argc, argv);
	} else if (argc == 2 && !strcmp(argv[0], "get")) {
		f = qfield_find(argv[1]);
		printf("%llu\n", (ull)qimg_get(q, f->offset, f->bytes));
	} else if (argc == 3 && !strcmp(argv[0], "set")) {
		f = qfield_find(argv[1]);
		qimg_put(q, f->offset, f->bytes, parse_size(argv[2], 0));
	} else if ((argc == 2 || argc == 3) && !strcmp(argv[0], "ext")) {
		cmd_ext(q, argc, argv);
	} else if (argc >= 2 && argc <= 4 && !strcmp(argv[0], "l2")) {
		cmd_l2(q, argc, argv);
	} else if ((argc == 2 || argc == 3) && !strcmp(argv[0], "l1")) {
		word(q, q->l1_offset + 8 * parse_size(argv[1], 0), 8, argc > 2 ? argv[2] : NULL);
	} else if ((argc == 2 || argc == 3) && !strcmp(argv[0], "u32")) {
		word(q, parse_size(argv[1], 0), 4, argc > 2 ? argv[2] : NULL);
	} else if ((argc == 2 || argc == 3) && !strcmp(argv[0], "u64")) {
		word(q, parse_size(argv[1], 0), 8, argc > 2 ? argv[2] : NULL);
	} else {
		usage();
	}
}

int main(int argc, char **argv)
{
	struct qimg q;
	int start = 2;
	int i;

	if (argc < 3)
		usage();
	qimg_open(&q, argv[1], true);
	for (i = start; i <= argc; i++) {
		if (i < argc && strcmp(argv[i], "--"))
			continue;
		if (i == start)
			usage();
		command(&q, i - start, argv + start);
		start = i + 1;
	}
	qimg_close(&q);
	return 0;
}
