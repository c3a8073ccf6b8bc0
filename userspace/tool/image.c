// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads headers of qcow2 images with the parser of the kernel module.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "format.h"
#include "image.h"
#include "util.h"

/* Large enough for every logical block size. */
#define READ_ALIGN 4096U

/* Names in headers are not terminated and must not contain a NUL. */
static char *take_name(const uint8_t *name, size_t len, const char *what, const char *path)
{
	if (!memchr(name, '\0', len))
		return xstrndup((const char *)name, len);
	cc_error("%s: damaged header: the %s contains a NUL", path, what);
	return NULL;
}

/*
 * Find the name of the data file among the header extensions, which q2_parse_header() has checked
 * to lie within the cluster. The kernel is given a device instead, so its parser does not record
 * where the name is. Of several, the last one counts, as in QEMU: what qemu-img shows is what is opened.
 */
static const uint8_t *find_data_name(const uint8_t *buf, uint32_t end, const struct q2_info *info,
				     uint32_t *len)
{
	const struct qcow2_ext_header *ext;
	uint32_t pos = info->header_length;
	const uint8_t *name = NULL;
	uint32_t type, size;

	while (pos <= end && end - pos >= sizeof(*ext)) {
		ext = (const void *)(buf + pos);
		type = be32toh(ext->type);
		size = be32toh(ext->length);
		pos += (uint32_t)sizeof(*ext);
		if (type == QCOW2_EXT_END || size > end - pos)
			break;
		if (type == QCOW2_EXT_DATA_FILE) {
			*len = size;
			name = buf + pos;
		}
		pos += (size + 7U) & ~7U;
	}
	return name;
}

/* Where the extensions end. */
static uint32_t names_end(const struct q2_info *info)
{
	return info->backing_offset ? info->backing_offset : (uint32_t)q2_cluster_size(info);
}

static int take_names(const uint8_t *buf, const char *path, struct image *image)
{
	const struct q2_info *info = &image->info;
	uint32_t end = names_end(info);
	uint32_t len = 0;
	const uint8_t *name;

	if (info->backing_offset) {
		image->backing_name = take_name(buf + info->backing_offset, info->backing_len,
						"backing file's name", path);
		if (!image->backing_name)
			return -1;
	}
	if (info->format_len) {
		image->backing_format = take_name(buf + info->format_offset, info->format_len,
						  "backing file's format", path);
		if (!image->backing_format)
			return -1;
	}
	name = info->data_file ? find_data_name(buf, end, info, &len) : NULL;
	if (name) {
		image->data_name = take_name(name, len, "data file's name", path);
		if (!image->data_name)
			return -1;
	}
	return 0;
}

static void say_bad_header(const char *path, const struct q2_info *info, const struct q2_error *err)
{
	char *remedy = info->crypt_method ? format_remedy_encrypted(path) : NULL;

	cc_error("%s: %s%s%s", path, err->text, remedy ? ": " : "", remedy ? remedy : "");
	free(remedy);
}

int image_parse(const uint8_t *buf, size_t len, const char *path, uint64_t file_size,
		struct image *image)
{
	struct q2_error err;

	memset(image, 0, sizeof(*image));
	if (len < SECTOR_SIZE || q2_header_bytes(buf, &err) < 0) {
		cc_error("%s: not a qcow2 image: if it is a raw disk, give its format as raw", path);
		return -1;
	}
	if (q2_parse_header(buf, (uint32_t)len, file_size, &image->info, &err)) {
		say_bad_header(path, &image->info, &err);
		return -1;
	}
	q2_ident_parse(&image->info, buf, &image->ident);
	if (!take_names(buf, path, image))
		return 0;
	image_free(image);
	return -1;
}

char *image_rebase_command(const char *path, const char *backing, const char *format)
{
	return xasprintf("qemu-img rebase -u -b %s -F %s -f qcow2 %s", shell_word(backing),
			 format ? format : "FORMAT", shell_word(path));
}

void image_free(struct image *image)
{
	free(image->backing_name);
	free(image->backing_format);
	free(image->data_name);
	memset(image, 0, sizeof(*image));
}

static size_t align_size(size_t size)
{
	return (size + READ_ALIGN - 1) & ~(size_t)(READ_ALIGN - 1);
}

static void *alloc_aligned(const char *path, size_t size)
{
	void *buf;

	if (!posix_memalign(&buf, READ_ALIGN, align_size(size)))
		return buf;
	cc_error("%s: out of memory", path);
	return NULL;
}

/* Read up to size bytes, in whole units of READ_ALIGN, for which there is room. Returns 0, or -1 after a message. */
static int read_into(void *buf, int fd, const char *path, size_t size, uint64_t off, size_t *got)
{
	ssize_t n = pread_full(fd, buf, align_size(size), (off_t)off);

	if (n < 0) {
		cc_error("%s: cannot read header or tables: %s", path, strerror((int)-n));
		return -1;
	}
	*got = (size_t)n;
	return 0;
}

/* Returns the buffer, which the caller frees, or NULL after a message. */
static void *read_aligned(int fd, const char *path, size_t size, uint64_t off, size_t *got)
{
	void *buf = alloc_aligned(path, size);

	if (buf && read_into(buf, fd, path, size, off, got)) {
		free(buf);
		return NULL;
	}
	return buf;
}

/* Memory for one header after the other: of a long chain, fresh pages for each would cost more than to read it. */
static void *header_room(const char *path, size_t size)
{
	static void *room;
	static size_t room_size;

	if (size > room_size) {
		free(room);
		room = alloc_aligned(path, size);
		room_size = room ? size : 0;
	}
	return room;
}

/* The first cluster, where names and extensions are, until the next call; NULL after a message. */
static uint8_t *read_header(int fd, const char *path, size_t *len)
{
	uint8_t *buf = header_room(path, READ_ALIGN);
	struct q2_error err;
	int bytes;

	if (!buf || read_into(buf, fd, path, READ_ALIGN, 0, len))
		return NULL;
	/* Its size is in the first sector. */
	bytes = *len < SECTOR_SIZE ? 0 : q2_header_bytes(buf, &err);
	if (bytes <= (int)READ_ALIGN)
		return buf;
	buf = header_room(path, (size_t)bytes);
	return buf && !read_into(buf, fd, path, (size_t)bytes, 0, len) ? buf : NULL;
}

int image_read(int fd, const char *path, uint64_t file_size, struct image *image)
{
	size_t len;
	uint8_t *buf = read_header(fd, path, &len);

	memset(image, 0, sizeof(*image));
	return buf ? image_parse(buf, len, path, file_size, image) : -1;
}

static int write_name(int fd, const char *path, const char *name, off_t at)
{
	size_t len = strlen(name);

	if (pwrite(fd, name, len, at) == (ssize_t)len && !fdatasync(fd))
		return 0;
	cc_error("%s: cannot write its header: %s", path, strerror(errno));
	return -1;
}

int image_rename_data(int fd, const char *path, const char *from, const char *to)
{
	const uint8_t *name = NULL;
	struct image image = { 0 };
	uint32_t len = 0;
	size_t size;
	uint8_t *buf = read_header(fd, path, &size);
	int ret = -1;

	if (!buf)
		return -1;
	if (!image_parse(buf, size, path, UINT64_MAX, &image))
		name = find_data_name(buf, names_end(&image.info), &image.info, &len);
	if (name && len == strlen(from) && len == strlen(to) && !memcmp(name, from, len))
		ret = write_name(fd, path, to, name - buf);
	else
		cc_error("%s: its header does not have the name of the data file that qemu-img was given",
			 path);
	image_free(&image);
	return ret;
}

static int check_l1(int fd, const char *path, uint64_t file_size, const struct q2_info *info,
		    struct q2_error *err)
{
	size_t size = (size_t)info->l1_entries * sizeof(__be64);
	size_t got;
	__be64 *l1 = read_aligned(fd, path, size, info->l1_offset, &got);
	uint64_t *scratch;
	int ret;

	if (!l1)
		return -EIO;
	if (got < size) {
		snprintf(err->text, sizeof(err->text), "the image ends within its L1 table");
		ret = -EMEDIUMTYPE;
	} else {
		scratch = xcalloc(info->l1_entries, sizeof(*scratch));
		ret = q2_check_l1(info, l1, scratch, file_size, err);
		free(scratch);
	}
	free(l1);
	return ret;
}

/* The text is that of the parser, which is also the kernel's. */
static void say_not_writable(const char *path, const char *text, const char *remedy)
{
	if (strstr(text, "not prepared"))
		cc_error("%s: an ordinary qcow2 image, which is never written (%s): %s", path, text, remedy);
	else if (strstr(text, "qemu-img"))
		cc_error("%s: %s, or %s", path, text, remedy);
	else
		cc_error("%s: %s; %s", path, text, remedy);
}

int image_check_writable(int fd, const char *path, uint64_t file_size, const struct image *image,
			 const char *remedy)
{
	struct q2_error err;
	int ret = q2_check_writable(&image->info, &err);

	if (!ret)
		ret = check_l1(fd, path, file_size, &image->info, &err);
	if (!ret)
		return 0;
	/* -EIO: a message was printed already. */
	if (ret != -EIO)
		say_not_writable(path, err.text, remedy);
	return -1;
}
