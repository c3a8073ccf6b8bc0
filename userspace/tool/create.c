// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes images by qemu-img, and takes care of the names, the space and the signals around it.
 *
 * Root makes images in directories of guests' owners. So each name is resolved once, and qemu-img is
 * given descriptors.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "create-plan.h"
#include "create.h"
#include "hold.h"
#include "image.h"
#include "number.h"
#include "path.h"
#include "progress-show.h"
#include "record.h"
#include "result.h"
#include "plan.h"
#include "util.h"

/* In the child, the names of its descriptors. */
#define FD_DIR "/proc/self/fd"

#define SAFE_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int say_same(const struct new_file *file, const char *other)
{
	cc_error("%s and %s are the same: the new image, its data file and the layers below it must be different",
		 file->path, other);
	return -1;
}

/* Compare files, not names: a file has many names. */
static int check_other(const struct new_file *file, const char *other)
{
	struct stat st;

	return other && !stat(other, &st) && new_file_is(file, &st) ? say_same(file, other) : 0;
}

static int check_below(const struct create_request *req, const struct new_file *file)
{
	int ret = check_other(file, req->backing);
	size_t i;

	for (i = 0; i < req->nr_below && !ret; i++)
		ret = check_other(file, req->below[i]);
	return ret;
}

static int open_data(const struct create_request *req, unsigned int flags, struct created *files)
{
	struct stat st;

	/* A block device could not be opened twice; and links may have changed after this. */
	if (check_other(&files->image, req->data_file) ||
	    new_file_open(&files->data, req->data_file, flags))
		return -1;
	if (!fstat(files->data.fd, &st) && new_file_is(&files->image, &st))
		return say_same(&files->image, req->data_file);
	return check_below(req, &files->data);
}

static unsigned int open_flags(const struct create_request *req)
{
	unsigned int overwrite = NEW_FILE_OVERWRITE_DEVICE | (req->devices_only ? 0 : NEW_FILE_OVERWRITE);
	unsigned int can = NEW_FILE_CAN_OVERWRITE_DEVICE | (req->devices_only ? 0 : NEW_FILE_CAN_OVERWRITE);

	return (req->overwrite ? overwrite : 0) | (req->can_overwrite ? can : 0) |
	       (req->reserve ? NEW_FILE_RESERVE : 0);
}

static int open_files(const struct create_request *req, struct created *files)
{
	unsigned int flags = open_flags(req);

	if (new_file_open(&files->image, req->path, flags) || check_below(req, &files->image))
		return -1;
	return req->data_file ? open_data(req, flags, files) : 0;
}

/* Repeat a slash in a name, behind its first at bytes, until it has len bytes. Caller frees. */
static char *stretch(const char *name, size_t at, size_t len)
{
	struct strbuf sb = { 0 };
	size_t i;

	for (i = 0; i < at; i++)
		strbuf_addf(&sb, "%c", name[i]);
	for (i = strlen(name); i < len; i++)
		strbuf_add(&sb, "/");
	strbuf_add(&sb, name + at);
	return sb.text;
}

/*
 * The external data file: stand_in leads to its descriptor, and is what qemu-img writes into the
 * header; name, of the same length, replaces it there.
 */
struct data_name {
	char *stand_in;
	char *name;
};

/*
 * The name is always absolute: QEMU resolves a relative name of a data file from its working
 * directory.
 */
static int make_data_name(const struct new_file *data, struct data_name *name)
{
	char *real = new_file_lasting_name(data);
	char *link;
	size_t len;

	memset(name, 0, sizeof(*name));
	if (!real)
		return -1;
	link = xasprintf("./%d", data->fd);
	len = strlen(real) > strlen(link) ? strlen(real) : strlen(link);
	name->stand_in = stretch(link, 2, len);
	/* Only of a very short name; more slashes mean the same. */
	name->name = stretch(real, 1, len);
	free(link);
	free(real);
	return 0;
}

static void free_data_name(struct data_name *name)
{
	free(name->stand_in);
	free(name->name);
}

/* What qemu-img has to say contains names, too. */
static void say_lines(int fd)
{
	FILE *f = fd < 0 || lseek(fd, 0, SEEK_SET) ? NULL : fdopen(dup(fd), "r");
	char *line = NULL;
	size_t room = 0;

	while (f && getline(&line, &room, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		cc_error("%s", line);
	}
	free(line);
	if (f)
		fclose(f);
}

static void inherit(const struct new_file *file)
{
	if (file->path)
		fcntl(file->fd, F_SETFD, 0);
}

/* Have all descriptors closed, also those that libraries, or the caller, have left open. */
static int inherit_nothing(void)
{
	struct dirent *entry;
	DIR *dir;

	if (!close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC))
		return 0;
	/* Before Linux 5.11, and where a container does not allow it. */
	dir = opendir(FD_DIR);
	if (!dir)
		return -1;
	while ((entry = readdir(dir)))
		if (atoi(entry->d_name) > STDERR_FILENO)
			fcntl(atoi(entry->d_name), F_SETFD, FD_CLOEXEC);
	closedir(dir);
	return 0;
}

/* In the child, in FD_DIR. No shell is involved. program: NULL, or what is run instead. */
static void exec_qemu_img(const struct created *files, char *const argv[], const char *program, int said)
	__attribute__((noreturn));

static void exec_qemu_img(const struct created *files, char *const argv[], const char *program, int said)
{
	hold_child();
	if (said >= 0)
		dup2(said, STDERR_FILENO);
	if (inherit_nothing() || chdir(FD_DIR)) {
		dprintf(STDERR_FILENO, FD_DIR ": %s\n", strerror(errno));
		_exit(126);
	}
	inherit(&files->image);
	inherit(&files->data);
	/* Not that of the caller, which may lead to what others have made. */
	setenv("PATH", SAFE_PATH, 1);
	execvp(program ? program : argv[0], argv);
	if (program)
		dprintf(STDERR_FILENO, "%s, which COWCHAIN_QEMU_IMG names: %s\n", program, strerror(errno));
	else
		dprintf(STDERR_FILENO, "qemu-img: %s in " SAFE_PATH ": install it (Debian: qemu-utils), or name it in COWCHAIN_QEMU_IMG\n",
			strerror(errno));
	_exit(127);
}

/* As a shell would find it: the child is in another directory. NULL if there is none. Caller frees. */
static char *other_program(void)
{
	const char *name = getenv("COWCHAIN_QEMU_IMG");

	if (!name || !*name)
		return NULL;
	return strchr(name, '/') ? path_absolute(name) : xstrdup(name);
}

/* Has qemu-img begun? exec_qemu_img() ends so without it. */
static bool has_run(int status)
{
	return !WIFEXITED(status) || (WEXITSTATUS(status) != 126 && WEXITSTATUS(status) != 127);
}

/* Tables of a large disk take a while. How much there is to be written only qemu-img knows. */
struct growth {
	const struct created *files;
	struct progress_show show;
	double begun;
};

static void show_growth(void *data)
{
	struct growth *growth = data;
	struct stat st;
	char *name;

	if (fstat(growth->files->image.fd, &st) || !S_ISREG(st.st_mode))
		return;
	name = xsafe_text(growth->files->image.path);
	progress_show(&growth->show, &(struct progress){
		.name = name,
		.what = "create",
		.done = (uint64_t)st.st_blocks * SECTOR_SIZE,
		.total = PROGRESS_UNKNOWN,
		.elapsed = (uint64_t)(progress_now() - growth->begun),
	}, false);
	free(name);
}

static int wait_for_qemu_img(const struct created *files, pid_t pid, int *status)
{
	struct growth growth = { .files = files, .begun = progress_now() };
	int ret;

	progress_begin(&growth.show, result_wanted());
	ret = hold_wait(pid, status, growth.show.wanted ? show_growth : NULL, &growth);
	progress_end(&growth.show);
	return ret;
}

static int run_qemu_img(struct created *files, char *const argv[])
{
	/* Without it, the messages go to stderr as they are. */
	int said = memfd_create("qemu-img", MFD_CLOEXEC);
	char *program = other_program();
	int status, ret;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid)
		exec_qemu_img(files, argv, program, said);
	free(program);
	ret = pid < 0 ? -1 : wait_for_qemu_img(files, pid, &status);
	if (pid >= 0 && (ret || has_run(status)))
		new_file_written(&files->image);
	if (ret)
		cc_error("cannot run qemu-img: %s", strerror(errno));
	say_lines(said);
	if (said >= 0)
		close(said);
	if (ret)
		return -1;
	return !hold_interrupted() && WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -1;
}

/* The name of the layer below for the header; NULL after a message. Caller frees. */
static char *backing_name(const struct create_request *req, const struct created *files)
{
	char *dir, *name;
	struct stat st;

	if (req->backing_name)
		return xstrdup(req->backing_name);
	/* A block device has several names, in several directories: none that it is relative to. */
	if (!fstat(files->image.fd, &st) && S_ISBLK(st.st_mode))
		return xstrdup(req->backing);
	dir = new_file_dir(&files->image);
	name = dir ? path_stored_name(dir, req->backing) : NULL;
	free(dir);
	return name;
}

/* Without data_file_raw, an autoclear bit that the target refuses. */
static char *make_options(const struct create_request *req, const struct data_name *data)
{
	return xasprintf("extended_l2=on,preallocation=metadata,cluster_size=%" PRIu64 "%s%s",
			 req->cluster_size, data->stand_in ? ",data_file=" : "",
			 data->stand_in ? data->stand_in : "");
}

static int run_create(const struct create_request *req, struct created *files,
		      const struct data_name *data)
{
	bool below = req->backing || req->backing_name;
	char *backing = below ? backing_name(req, files) : NULL;
	char *size = xasprintf("%" PRIu64, req->size);
	char *file = xasprintf("./%d", files->image.fd);
	char *options = make_options(req, data);
	char *argv[16];
	int n = 0, ret = below && !backing ? -1 : 0;

	argv[n++] = (char *)"qemu-img";
	argv[n++] = (char *)"create";
	argv[n++] = (char *)"-q";
	argv[n++] = (char *)"-f";
	argv[n++] = (char *)"qcow2";
	argv[n++] = (char *)"-o";
	argv[n++] = options;
	if (below) {
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
	if (!ret)
		ret = run_qemu_img(files, argv);
	if (ret)
		cc_error("%s: qemu-img create %s", req->path,
			 hold_interrupted() ? "was interrupted" : "failed");
	free(backing);
	free(file);
	free(size);
	free(options);
	return ret;
}

static int fill_files(const struct create_request *req, struct created *files)
{
	struct data_name data = { 0 };
	int ret = files->data.path ? make_data_name(&files->data, &data) : 0;

	if (!ret)
		ret = run_create(req, files, &data);
	if (!ret && data.name)
		ret = image_rename_data(files->image.fd, req->path, data.stand_in, data.name);
	if (!ret && req->reserve)
		ret = new_file_reserve(&files->image);
	if (!ret && req->reserve && files->data.path)
		ret = new_file_reserve(&files->data);
	free_data_name(&data);
	return ret;
}

/* What lies below now, see record.h. */
static void record_below(const struct create_request *req, const struct created *files)
{
	char *name = req->backing && req->backing_size ? backing_name(req, files) : NULL;
	int fd = name ? open(req->backing, O_PATH | O_CLOEXEC) : -1;
	struct record rec;

	if (fd >= 0) {
		record_of(fd, name, &rec);
		rec.size = req->backing_size;
		record_write(files->image.fd, &rec);
		close(fd);
	}
	free(name);
}

int create_image(const struct create_request *req, struct created *files)
{
	int ret;

	if (plan_wanted())
		return create_plan(req, files);
	memset(files, 0, sizeof(*files));
	hold_begin();
	ret = open_files(req, files);
	if (!ret)
		ret = fill_files(req, files);
	if (!ret)
		ret = new_file_check_name(&files->image);
	if (!ret && files->data.path)
		ret = new_file_check_name(&files->data);
	if (!ret && hold_interrupted())
		ret = -1;
	if (ret)
		create_undo(files);
	else
		record_below(req, files);
	hold_end();
	return ret;
}

static int check_same(const struct new_file *made, const struct source *opened)
{
	struct stat made_st, opened_st;

	if (!fstat(made->fd, &made_st) && !fstat(opened->fd, &opened_st) && made_st.st_ino == opened_st.st_ino &&
	    made_st.st_dev == opened_st.st_dev && made_st.st_rdev == opened_st.st_rdev)
		return 0;
	cc_error("%s: was replaced after it was made", made->path);
	return -1;
}

static int check_opened(const struct created *files, const struct layer *layer)
{
	if (files->image.path && check_same(&files->image, &layer->file))
		return -1;
	return files->data.path ? check_same(&files->data, &layer->data) : 0;
}

/* The name that what was made has by now, or what the user made; NULL if there is none, or after a message. */
static char *find_real(const struct new_file *file, const char *path)
{
	if (file->path)
		return new_file_real(file);
	return path ? new_file_existing(path) : NULL;
}

static int open_top(const struct created *files, const struct layer_name *image, const struct layer_name *data,
		    const struct layer_options *opt, struct layer *layer)
{
	if (layer_open_top(layer, image, data, opt))
		return -1;
	if (!check_opened(files, layer))
		return 0;
	layer_close(layer);
	return -1;
}

int create_open(const struct created *files, const char *image, const char *data,
		const struct layer_options *opt, struct layer *layer)
{
	char *image_real, *data_real;
	int ret = -1;

	if (files->planned) {
		layer_plan(layer, image, data, files->planned);
		return 0;
	}
	image_real = find_real(&files->image, image);
	data_real = image_real ? find_real(&files->data, data) : NULL;
	if (image_real && (data_real || !data))
		ret = open_top(files, &(struct layer_name){ image, image_real },
			       &(struct layer_name){ data, data_real }, opt, layer);
	free(data_real);
	free(image_real);
	return ret;
}

int create_sync(const struct created *files)
{
	return new_file_sync(&files->image) || new_file_sync(&files->data) ? -1 : 0;
}

void create_let_go(struct created *files)
{
	if (!files->image.made)
		new_file_close(&files->image);
	if (!files->data.made)
		new_file_close(&files->data);
}

void create_undo(struct created *files)
{
	new_file_remove(&files->image);
	new_file_remove(&files->data);
	create_done(files);
}

void create_done(struct created *files)
{
	new_file_close(&files->image);
	new_file_close(&files->data);
}
