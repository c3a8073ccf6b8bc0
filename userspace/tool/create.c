// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes images by qemu-img, and takes care of the names, the space and the signals around it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "create.h"
#include "fs.h"
#include "hold.h"
#include "loop.h"
#include "number.h"
#include "path.h"
#include "source.h"
#include "users.h"
#include "util.h"

/* The canonical directory of a path whose file need not exist. Returns NULL after a message. */
static char *real_parent(const char *path)
{
	char *dir = path_dir(path);
	char *real = realpath(dir, NULL);

	if (!real)
		cc_error("%s: %s: %s", path, dir, strerror(errno));
	free(dir);
	return real;
}

/* --reserve: space is of use only if the file system writes to it in place. */
static int check_in_place(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	int ret = fd < 0 ? -1 : fs_write_in_place(fd);

	if (ret)
		cc_error("%s: cannot have it written in place, so that --reserve is of no use: %s; remove it first, or take another name",
			 path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ret;
}

static void say_block_unusable(const char *path, dev_t dev, int err)
{
	char *users = err == EBUSY ? users_find(dev) : NULL;

	if (err == EBUSY)
		cc_error("%s: is in use: %s", path,
			 users ? users : "mounted, or part of another device");
	else
		cc_error("%s: %s", path, strerror(err));
	free(users);
}

/* --force does not extend to mounted devices or to layers of a chain. */
static int check_unused(const struct create_request *req, const char *path)
{
	struct stat st;
	int fd;

	/* A dangling link: there is nothing to lose. */
	if (stat(path, &st))
		return 0;
	if (!S_ISBLK(st.st_mode)) {
		if (loop_check_unused(&st, path))
			return -1;
		return req->reserve ? check_in_place(path) : 0;
	}
	fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		say_block_unusable(path, st.st_rdev, errno);
		return -1;
	}
	close(fd);
	return 0;
}

/*
 * Claim the name: qemu-img would overwrite an existing file without asking. *made gets the path if
 * the file is new.
 */
static int reserve(const struct create_request *req, const char *path, char **made)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);

	if (fd >= 0) {
		close(fd);
		*made = xstrdup(path);
		return req->reserve ? check_in_place(path) : 0;
	}
	if (errno == EEXIST && req->overwrite)
		return check_unused(req, path);
	if (errno == EEXIST)
		cc_error("%s: %s: take another name%s", path, strerror(errno),
			 req->can_overwrite ? ", or --force to overwrite it" : "");
	else
		cc_error("%s: %s", path, strerror(errno));
	return -1;
}

/* Are they the same file or device, or a loop device and its file? */
static bool same_place(const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode))
		return a->st_rdev == b->st_rdev;
	if (S_ISBLK(a->st_mode))
		return loop_shows_file(a->st_rdev, b);
	if (S_ISBLK(b->st_mode))
		return loop_shows_file(b->st_rdev, a);
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Compare files, not names: a file has many names. */
static int check_pair(const char *path, const char *other)
{
	struct stat a, b;

	if (!path || !other || stat(path, &a) || stat(other, &b) || !same_place(&a, &b))
		return 0;
	cc_error("%s and %s are the same: the new image, its data file and the layers below it must be different",
		 path, other);
	return -1;
}

static int check_different(const struct create_request *req)
{
	int ret = check_pair(req->path, req->data_file);
	size_t i;

	if (!ret)
		ret = check_pair(req->path, req->backing);
	if (!ret)
		ret = check_pair(req->data_file, req->backing);
	for (i = 0; i < req->nr_below && !ret; i++) {
		ret = check_pair(req->path, req->below[i]);
		if (!ret)
			ret = check_pair(req->data_file, req->below[i]);
	}
	return ret;
}

static int reserve_names(const struct create_request *req, struct created *made)
{
	if (check_different(req) || reserve(req, req->path, &made->image))
		return -1;
	if (!req->data_file)
		return 0;
	/* Two names of one new file can be compared only now that it exists. */
	return reserve(req, req->data_file, &made->data) ? -1 : check_different(req);
}

/* In options of qemu-img a comma ends the value; two commas stand for one. Caller frees. */
static char *quote_commas(const char *text)
{
	struct strbuf sb = { 0 };

	for (; *text; text++)
		strbuf_addf(&sb, *text == ',' ? ",%c" : "%c", *text);
	return sb.text;
}

/* Run qemu-img in dir, from which relative names count. No shell is involved. */
static int run_qemu_img(const char *dir, char *const argv[])
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		hold_child();
		if (chdir(dir)) {
			fprintf(stderr, "cowchain: %s: %s\n", dir, strerror(errno));
			_exit(126);
		}
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || hold_wait(pid, &status)) {
		cc_error("cannot run qemu-img: %s", strerror(errno));
		return -1;
	}
	if (hold_interrupted())
		return -1;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		cc_error("qemu-img not found: install it (Debian: qemu-utils)");
	return -1;
}

static char *make_options(const struct create_request *req)
{
	struct strbuf sb = { 0 };
	char *real, *quoted;

	strbuf_addf(&sb, "extended_l2=on,preallocation=metadata,cluster_size=%" PRIu64,
		    req->cluster_size);
	if (!req->data_file)
		return sb.text;
	/*
	 * The file exists, as it was claimed before. Its name is always absolute: QEMU resolves a
	 * relative name of a data file from its working directory. Without data_file_raw, an
	 * autoclear bit that the target refuses.
	 */
	real = source_lasting_name(req->data_file);
	quoted = quote_commas(real ? real : req->data_file);
	strbuf_addf(&sb, ",data_file=%s", quoted);
	free(quoted);
	free(real);
	return sb.text;
}

static int run_create(const struct create_request *req, const char *dir)
{
	char *options = make_options(req);
	char *size = xasprintf("%" PRIu64, req->size);
	/* qemu-img takes what precedes a colon for a protocol, unless a slash comes first. */
	char *file = xasprintf("./%s", path_base(req->path));
	char *backing = NULL;
	char *argv[16];
	int n = 0, ret;

	argv[n++] = (char *)"qemu-img";
	argv[n++] = (char *)"create";
	argv[n++] = (char *)"-q";
	argv[n++] = (char *)"-f";
	argv[n++] = (char *)"qcow2";
	argv[n++] = (char *)"-o";
	argv[n++] = options;
	if (req->backing || req->backing_name) {
		backing = req->backing_name ? xstrdup(req->backing_name) :
					      path_stored_name(dir, req->backing);
		/* -u: do not open the backing file, which may be in use; the size is given. */
		argv[n++] = (char *)"-u";
		argv[n++] = (char *)"-b";
		argv[n++] = backing;
		argv[n++] = (char *)"-F";
		argv[n++] = (char *)kind_name(req->backing_kind);
	}
	argv[n++] = file;
	argv[n++] = size;
	argv[n] = NULL;
	ret = run_qemu_img(dir, argv);
	if (ret)
		cc_error("%s: qemu-img create %s", req->path,
			 hold_interrupted() ? "was interrupted" : "failed");
	free(backing);
	free(file);
	free(size);
	free(options);
	return ret;
}

/*
 * Make sure that the file system cannot run out of space under a file, without changing its
 * contents or length. (Loop devices may report success for a write of which only a first part found
 * space.)
 */
static int reserve_space(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	int ret = -1;

	if (fd >= 0 && !fstat(fd, &st)) {
		if (S_ISBLK(st.st_mode) || !st.st_size)
			ret = 0;
		else
			ret = fallocate(fd, 0, 0, st.st_size);
	}
	if (ret)
		cc_error("%s: cannot reserve its space: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ret;
}

static int reserve_all(const struct create_request *req)
{
	if (!req->reserve)
		return 0;
	if (reserve_space(req->path))
		return -1;
	return req->data_file ? reserve_space(req->data_file) : 0;
}

int create_image(const struct create_request *req, struct created *made)
{
	char *dir = real_parent(req->path);
	int ret = -1;

	memset(made, 0, sizeof(*made));
	if (!dir)
		return -1;
	hold_begin();
	if (!reserve_names(req, made))
		ret = run_create(req, dir);
	if (!ret)
		ret = reserve_all(req);
	free(dir);
	if (!ret && hold_interrupted())
		ret = -1;
	if (ret)
		create_undo(made);
	hold_end();
	return ret;
}

/* qemu-img removes a file itself if it cannot fill it. */
static void undo(const char *path)
{
	if (path && unlink(path) && errno != ENOENT)
		cc_error("%s: cannot remove it: %s", path, strerror(errno));
}

void create_undo(struct created *made)
{
	undo(made->image);
	undo(made->data);
	create_done(made);
}

void create_done(struct created *made)
{
	free(made->image);
	free(made->data);
	memset(made, 0, sizeof(*made));
}
