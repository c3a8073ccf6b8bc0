// SPDX-License-Identifier: GPL-2.0-only
/*
 * Recognizes formats of image files.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "file.h"
#include "format.h"
#include "path.h"
#include "util.h"

/* Large enough for every logical block size, and for all signatures. */
#define LOOK_BYTES 4096U
#define MAX_NAMES 1000

/* In the last sector, in place of an offset. */
#define AT_END (-1)

struct signature {
	struct format format;
	int at;
	unsigned int len;
	const char *bytes;
};

#define SIGNATURE(what, driver, way, at, bytes) \
	{ { what, driver, way, (at) == AT_END }, at, sizeof(bytes) - 1, bytes }

/* Of one format, what is found first counts: a dynamic VHD has a footer, too. */
static const struct signature signatures[] = {
	SIGNATURE("a qcow image of version 1", "qcow", FORMAT_CONVERT, 0, "QFI\xfb\0\0\0\1"),
	SIGNATURE("a qcow2 image", "qcow2", FORMAT_LAYER, 0, "QFI\xfb"),
	SIGNATURE("a QED image", "qed", FORMAT_CONVERT, 0, "QED\0"),
	SIGNATURE("a VMDK image", "vmdk", FORMAT_CONVERT, 0, "KDMV"),
	SIGNATURE("a VMDK image", "vmdk", FORMAT_CONVERT, 0, "COWD"),
	SIGNATURE("the descriptor of a VMDK image", "vmdk", FORMAT_CONVERT, 0, "# Disk DescriptorFile"),
	SIGNATURE("a VHDX image", "vhdx", FORMAT_CONVERT, 0, "vhdxfile"),
	SIGNATURE("a VHD image", "vpc", FORMAT_CONVERT, 0, "cone" "ctix"),
	SIGNATURE("a VDI image", "vdi", FORMAT_CONVERT, 64, "\x7f\x10\xda\xbe"),
	SIGNATURE("a Parallels image", "parallels", FORMAT_CONVERT, 0, "WithoutFreeSpace"),
	SIGNATURE("a Parallels image", "parallels", FORMAT_CONVERT, 0, "WithouFreSpacExt"),
	SIGNATURE("a LUKS container", "luks", FORMAT_LUKS, 0, "LUKS\xba\xbe"),
	SIGNATURE("a file compressed by gzip", "gzip -dk", FORMAT_UNPACK, 0, "\x1f\x8b\x08"),
	SIGNATURE("a file compressed by xz", "xz -dk", FORMAT_UNPACK, 0, "\xfd" "7zXZ\0"),
	SIGNATURE("a file compressed by zstd", "zstd -dk", FORMAT_UNPACK, 0, "\x28\xb5\x2f\xfd"),
	SIGNATURE("a file compressed by bzip2", "bzip2 -dk", FORMAT_UNPACK, 0, "BZh"),
	SIGNATURE("a ZIP archive", "unzip", FORMAT_UNPACK, 0, "PK\3\4"),
	SIGNATURE("a tar archive (an OVA is one)", "tar -xf", FORMAT_UNPACK, 257, "ustar"),
	SIGNATURE("a fixed VHD image", "vpc", FORMAT_CONVERT, AT_END, "cone" "ctix"),
	SIGNATURE("a DMG image", "dmg", FORMAT_CONVERT, AT_END, "koly"),
};

struct look {
	_Alignas(LOOK_BYTES) uint8_t buf[LOOK_BYTES];
	size_t len;
};

static void look(struct look *l, int fd, uint64_t offset)
{
	ssize_t n = pread_full(fd, l->buf, sizeof(l->buf), (off_t)offset);

	l->len = n < 0 ? 0 : (size_t)n;
}

static bool has(const struct look *l, size_t at, const struct signature *s)
{
	return at <= l->len && s->len <= l->len - at && !memcmp(l->buf + at, s->bytes, s->len);
}

static const struct format *match(const struct look *l, bool end, size_t at)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signatures); i++)
		if (signatures[i].format.at_end == end &&
		    has(l, end ? at : (size_t)signatures[i].at, &signatures[i]))
			return &signatures[i].format;
	return NULL;
}

const struct format *format_find(int fd, uint64_t size)
{
	const struct format *found;
	uint64_t last, from;
	struct look l;

	look(&l, fd, 0);
	found = match(&l, false, 0);
	if (found || size < SECTOR_SIZE)
		return found;
	last = size - SECTOR_SIZE;
	from = last & ~(uint64_t)(LOOK_BYTES - 1);
	look(&l, fd, from);
	return match(&l, true, (size_t)(last - from));
}

const struct format *format_by_driver(const char *driver)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signatures); i++)
		if (signatures[i].format.way != FORMAT_UNPACK &&
		    !strcmp(driver, signatures[i].format.driver))
			return &signatures[i].format;
	return NULL;
}

/* Where the ending of a name begins, if it is one that images have; else its end. */
static size_t stem_length(const char *name)
{
	static const char *const endings[] = {
		".qcow2", ".qcow", ".qed", ".img", ".raw", ".vmdk", ".vhdx", ".vhd", ".vpc", ".vdi", ".hdd",
		".dmg", ".luks", ".dsk", ".bin", ".iso",
	};
	size_t len = strlen(name), i, end;

	for (i = 0; i < ARRAY_SIZE(endings); i++) {
		end = strlen(endings[i]);
		if (len > end && !strcasecmp(name + len - end, endings[i]))
			return len - end;
	}
	return len;
}

char *format_new_name(const char *path, const char *suffix)
{
	char *dir = path_dir(path), *stem, *name = NULL;
	const char *base = path_base(path);
	bool away = !strcmp(dir, "/dev") || path_below(dir, "/dev") || access(dir, W_OK);
	unsigned int i;

	/* A name that was given without a directory gets none. */
	stem = xasprintf("%.*s%.*s", away || !strchr(path, '/') ? 0 : (int)(base - path), path,
			 (int)stem_length(base), base);
	for (i = 1; i < MAX_NAMES; i++) {
		free(name);
		name = i == 1 ? xasprintf("%s%s", stem, suffix) : xasprintf("%s-%u%s", stem, i, suffix);
		if (faccessat(AT_FDCWD, name, F_OK, AT_SYMLINK_NOFOLLOW))
			break;
	}
	free(stem);
	free(dir);
	return name;
}

/* For image options of QEMU, where a comma separates. Caller frees. */
static char *double_commas(const char *path)
{
	struct strbuf sb = { 0 };

	for (; *path; path++)
		strbuf_addf(&sb, *path == ',' ? "%c," : "%c", *path);
	return sb.text ? sb.text : xstrdup("");
}

/* The key is in a file, so that no list of processes shows it. */
static char *convert_with_key(const char *path, const char *options)
{
	char *doubled = double_commas(path), *new = format_new_name(path, "-plain.qcow2");
	char *image = xasprintf("%s%s", options, doubled);
	char *text = xasprintf("convert it, with the passphrase in KEYFILE without a newline: qemu-img convert --object secret,id=key,file=KEYFILE --image-opts -O qcow2 %s %s",
			       shell_word(image), shell_word(new));

	free(image);
	free(new);
	free(doubled);
	return text;
}

char *format_remedy_encrypted(const char *path)
{
	return convert_with_key(path, "driver=qcow2,encrypt.key-secret=key,file.filename=");
}

static char *remedy_luks(const char *path)
{
	char *convert = convert_with_key(path, "driver=luks,key-secret=key,file.filename=");
	char *text = xasprintf("open it with cryptsetup open --readonly %s NAME and give /dev/mapper/NAME as raw, or %s",
			       shell_word(path), convert);

	free(convert);
	return text;
}

static char *remedy_convert(const struct format *format, const char *path)
{
	char *new = format_new_name(path, ".qcow2");
	char *text = xasprintf("connect it with qemu-nbd --read-only -f %s -c /dev/nbd0 %s and give /dev/nbd0 as raw, or convert it: qemu-img convert -f %s -O qcow2 %s %s",
			       format->driver, shell_word(path), format->driver, shell_word(path),
			       shell_word(new));

	free(new);
	return text;
}

char *format_remedy(const struct format *format, const char *path)
{
	switch (format->way) {
	case FORMAT_CONVERT:
		return remedy_convert(format, path);
	case FORMAT_LUKS:
		return remedy_luks(path);
	case FORMAT_UNPACK:
		return xasprintf("unpack it first: %s %s", format->driver, shell_word(path));
	default:
		return xasprintf("give its format as %s", format->driver);
	}
}
