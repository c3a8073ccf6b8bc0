// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads and changes qcow2 images.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "common.h"
#include "qimg.h"

#define QCOW_MAGIC	0x514649fbu
#define L2_OFFSET_MASK	0x00fffffffffffe00ULL
#define MAX_EXTS	16
#define MAX_EXT_LEN	4096

const struct qfield qfields[] = {
	{ "magic", 0, 4 },
	{ "version", 4, 4 },
	{ "backing_file_offset", 8, 8 },
	{ "backing_file_size", 16, 4 },
	{ "cluster_bits", 20, 4 },
	{ "size", 24, 8 },
	{ "crypt_method", 32, 4 },
	{ "l1_size", 36, 4 },
	{ "l1_table_offset", 40, 8 },
	{ "refcount_table_offset", 48, 8 },
	{ "refcount_table_clusters", 56, 4 },
	{ "nb_snapshots", 60, 4 },
	{ "snapshots_offset", 64, 8 },
	{ "incompatible_features", 72, 8 },
	{ "compatible_features", 80, 8 },
	{ "autoclear_features", 88, 8 },
	{ "refcount_order", 96, 4 },
	{ "header_length", 100, 4 },
	{ "compression_type", 104, 1 },
	{ NULL, 0, 0 },
};

struct ext {
	uint32_t type;
	uint32_t len;
	uint8_t data[MAX_EXT_LEN];
};

struct exts {
	unsigned int n;
	struct ext e[MAX_EXTS];
};

const struct qfield *qfield_find(const char *name)
{
	const struct qfield *f;

	for (f = qfields; f->name; f++)
		if (!strcmp(f->name, name))
			return f;
	die("no such header field: %s", name);
}

uint64_t qimg_get(struct qimg *q, uint64_t off, unsigned int bytes)
{
	uint8_t b[8];
	int err = pread_full(q->fd, b, bytes, off);

	if (err)
		die("reading %u bytes at %llu: %s", bytes, (unsigned long long)off, strerror(err));
	return be_get(b, bytes);
}

void qimg_put(struct qimg *q, uint64_t off, unsigned int bytes, uint64_t value)
{
	uint8_t b[8];
	int err;

	be_put(b, bytes, value);
	err = pwrite_full(q->fd, b, bytes, off);
	if (err)
		die("writing %u bytes at %llu: %s", bytes, (unsigned long long)off, strerror(err));
}

static uint64_t field(struct qimg *q, const char *name)
{
	const struct qfield *f = qfield_find(name);

	return qimg_get(q, f->offset, f->bytes);
}

void qimg_open(struct qimg *q, const char *file, bool writable)
{
	q->fd = open(file, writable ? O_RDWR : O_RDONLY);
	if (q->fd < 0)
		die("%s: %s", file, strerror(errno));
	if (field(q, "magic") != QCOW_MAGIC)
		die("%s: not qcow2", file);
	q->cluster_bits = field(q, "cluster_bits");
	q->size = field(q, "size");
	q->l1_offset = field(q, "l1_table_offset");
	q->l1_size = field(q, "l1_size");
	q->extended_l2 = false;
	q->header_length = 72;
	if (field(q, "version") >= 3) {
		q->extended_l2 = field(q, "incompatible_features") & 0x10;
		q->header_length = field(q, "header_length");
	}
}

void qimg_close(struct qimg *q)
{
	if (close(q->fd))
		die("close: %s", strerror(errno));
}

uint64_t qimg_clusters(const struct qimg *q)
{
	return (q->size + (1ULL << q->cluster_bits) - 1) >> q->cluster_bits;
}

uint64_t qimg_l2_entry(struct qimg *q, uint64_t cluster)
{
	unsigned int entry = q->extended_l2 ? 16 : 8;
	uint64_t per_table = (1ULL << q->cluster_bits) / entry;
	uint64_t table;

	if (cluster / per_table >= q->l1_size)
		die("cluster %llu lies beyond the image", (unsigned long long)cluster);
	table = qimg_get(q, q->l1_offset + cluster / per_table * 8, 8) & L2_OFFSET_MASK;
	return table ? table + cluster % per_table * entry : 0;
}

static void read_exts(struct qimg *q, struct exts *x)
{
	uint64_t off = q->header_length;

	x->n = 0;
	while (off + 8 <= 1ULL << q->cluster_bits) {
		struct ext *e = &x->e[x->n];

		e->type = qimg_get(q, off, 4);
		e->len = qimg_get(q, off + 4, 4);
		if (e->type == QEXT_END)
			return;
		if (e->len > MAX_EXT_LEN || x->n == MAX_EXTS - 1)
			die("header extension %#x is too long for this tool", e->type);
		if (pread_full(q->fd, e->data, e->len, off + 8))
			die("reading header extension %#x", e->type);
		off += 8 + (e->len + 7) / 8 * 8;
		x->n++;
	}
}

/* Writes the extensions and the backing file's name behind them, as QEMU lays them out. */
static void write_exts(struct qimg *q, const struct exts *x, const char *backing)
{
	size_t cluster = 1UL << q->cluster_bits;
	size_t room = (cluster < 65536 ? cluster : 65536) - q->header_length;
	uint8_t *buf = xalloc(room + 8);
	size_t pos = 0;
	unsigned int i;

	for (i = 0; i < x->n; i++) {
		const struct ext *e = &x->e[i];

		if (pos + 24 + e->len > room)
			die("no room for header extensions");
		be_put(buf + pos, 4, e->type);
		be_put(buf + pos + 4, 4, e->len);
		memcpy(buf + pos + 8, e->data, e->len);
		pos += 8 + (e->len + 7) / 8 * 8;
	}
	pos += 8;	/* the end marker: zeros */
	if (backing && pos + strlen(backing) > room)
		die("no room for the backing file's name");
	if (backing)
		memcpy(buf + pos, backing, strlen(backing));
	if (pwrite_full(q->fd, buf, room, q->header_length))
		die("writing the header");
	qimg_put(q, 8, 8, backing ? q->header_length + pos : 0);
	qimg_put(q, 16, 4, backing ? strlen(backing) : 0);
	free(buf);
}

const char *qimg_backing(struct qimg *q)
{
	static char name[1024];
	uint64_t off = field(q, "backing_file_offset");
	uint32_t len = field(q, "backing_file_size");

	memset(name, 0, sizeof(name));
	if (!off)
		return name;
	if (len >= sizeof(name) || pread_full(q->fd, name, len, off))
		die("unusable backing file name");
	return name;
}

static struct ext *find_ext(struct exts *x, uint32_t type)
{
	unsigned int i;

	for (i = 0; i < x->n; i++)
		if (x->e[i].type == type)
			return &x->e[i];
	return NULL;
}

const char *qimg_ext(struct qimg *q, uint32_t type, uint32_t *len)
{
	static struct exts x;
	struct ext *e;

	memset(&x, 0, sizeof(x));
	read_exts(q, &x);
	e = find_ext(&x, type);
	if (!e)
		return NULL;
	*len = e->len;
	return (char *)e->data;
}

static void put_ext(struct exts *x, uint32_t type, const void *data, uint32_t len)
{
	struct ext *e = find_ext(x, type);

	if (!data) {
		if (e) {
			x->n--;
			memmove(e, e + 1, (x->n - (e - x->e)) * sizeof(*e));
		}
		return;
	}
	if (len > MAX_EXT_LEN || (!e && x->n == MAX_EXTS - 1))
		die("too many or too long header extensions");
	if (!e)
		e = &x->e[x->n++];
	e->type = type;
	e->len = len;
	memcpy(e->data, data, len);
}

void qimg_set_backing(struct qimg *q, const char *name, const char *format)
{
	struct exts *x = xalloc(sizeof(*x));

	read_exts(q, x);
	put_ext(x, QEXT_BACKING_FORMAT, name ? format : NULL, name ? strlen(format) : 0);
	write_exts(q, x, name);
	free(x);
}

void qimg_set_ext(struct qimg *q, uint32_t type, const void *data, uint32_t len)
{
	struct exts *x = xalloc(sizeof(*x));
	char name[1024];

	/* the name moves with the extensions in front of it */
	memcpy(name, qimg_backing(q), sizeof(name));
	read_exts(q, x);
	put_ext(x, type, data, len);
	write_exts(q, x, *name ? name : NULL);
	free(x);
}
