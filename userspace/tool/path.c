// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of images.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "path.h"
#include "util.h"

int allow_dirs_add(struct allow_dirs *allow, const char *dir)
{
	char *real = realpath(dir, NULL);
	struct stat st;

	if (!real || stat(real, &st)) {
		cc_error("--allow-dir %s: %s", dir, strerror(errno));
		free(real);
		return -1;
	}
	if (!S_ISDIR(st.st_mode)) {
		cc_error("--allow-dir %s: not a directory: give the one that it is in", dir);
		free(real);
		return -1;
	}
	allow->dirs = xrealloc(allow->dirs, allow->nr + 1, sizeof(*allow->dirs));
	allow->dirs[allow->nr++] = real;
	return 0;
}

void allow_dirs_free(struct allow_dirs *allow)
{
	while (allow->nr)
		free(allow->dirs[--allow->nr]);
	free(allow->dirs);
	allow->dirs = NULL;
}

char *path_dir(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	if (slash == path)
		return xstrdup("/");
	return xstrndup(path, (size_t)(slash - path));
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* dir/name, without a double slash for the root directory. */
static char *join(const char *dir, const char *name)
{
	return xasprintf("%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", name);
}

char *path_absolute(const char *path)
{
	char *cwd, *abs;

	if (path[0] == '/')
		return xstrdup(path);
	cwd = getcwd(NULL, 0);
	/* Without a working directory, opening the relative path fails with a message. */
	abs = cwd ? join(cwd, path) : xstrdup(path);
	free(cwd);
	return abs;
}

bool path_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (len == 1 && dir[0] == '/')
		return path[0] == '/' && path[1];
	return !strncmp(path, dir, len) && path[len] == '/';
}

bool path_has_protocol(const char *name)
{
	return name[strcspn(name, ":/")] == ':';
}

char *path_stored_name(const char *image_dir, const char *target)
{
	const char *rel;
	struct stat st;

	/*
	 * A block device has several names in several directories and does not move with an image.
	 */
	if (!path_below(target, image_dir) || (!stat(target, &st) && S_ISBLK(st.st_mode)))
		return xstrdup(target);
	rel = target + strlen(image_dir);
	rel += *rel == '/';
	if (path_has_protocol(rel))
		return xasprintf("./%s", rel);
	return xstrdup(rel);
}

bool path_given(const char *real, const struct allow_dirs *allow)
{
	size_t i;

	for (i = 0; i < allow->nr; i++)
		if (path_below(real, allow->dirs[i]))
			return true;
	return false;
}

bool path_allowed(const struct path_case *c, const struct allow_dirs *allow)
{
	size_t i, n;

	/* Any disk of the host is below /dev, which is nobody's own directory. */
	if (c->own && path_below(c->real, c->own) &&
	    (!path_below(c->real, "/dev") || path_below(c->own, "/dev")))
		return true;
	if (path_given(c->real, allow))
		return true;
	/* /dev/vg/base is a link to /dev/dm-3. */
	for (i = 0; i < allow->nr; i++)
		for (n = 0; n < c->nr_names; n++)
			if (c->names[n].fixed && path_below(c->names[n].path, allow->dirs[i]))
				return true;
	return false;
}

char *path_narrow_dir(const char *path)
{
	char *dir = path_dir(path);

	if (strcmp(dir, "/dev") && strcmp(dir, "/"))
		return dir;
	free(dir);
	return NULL;
}

char *path_remedy(const struct path_case *c)
{
	char *dir = NULL;
	size_t n;

	/* Of a device, the directory of its lasting name, as of a volume group. */
	for (n = 0; c->block && !dir && n < c->nr_names; n++)
		if (c->names[n].fixed && path_below(c->names[n].path, "/dev"))
			dir = path_narrow_dir(c->names[n].path);
	return dir ? dir : path_narrow_dir(c->real);
}

static void say_not_allowed(const char *image, const char *what, const struct path_case *c)
{
	char *dir = path_remedy(c);

	if (dir)
		cc_error("%s: its %s %s is outside of %s and is not followed: if you trust the image, give --allow-dir %s",
			 image, what, c->real, c->own ? c->own : "any directory of its own",
			 shell_word(dir));
	else
		cc_error("%s: its %s %s is %s and is not followed: if that is intended, list the layers with 'cowchain attach --layer'",
			 image, what, c->real, c->block ? "a device of the host" : "in no directory of the image");
	free(dir);
}

static bool is_block(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISBLK(st.st_mode);
}

static bool check_links(const struct path_image *image, const char *what, const char *path,
			const struct allow_dirs *allow, const char *real)
{
	/* A link does not widen it to the directory of the link. */
	char *own = path_dir(image->real);
	struct path_names names;
	struct path_case c;
	bool allowed;

	path_links_find(path, real, &names);
	c = (struct path_case){
		.own = image->device ? NULL : own,
		.names = names.names,
		.nr_names = names.nr,
		.real = real,
		.block = is_block(real),
	};
	allowed = path_allowed(&c, allow);
	if (!allowed)
		say_not_allowed(image->path, what, &c);
	path_links_free(&names);
	free(own);
	return allowed;
}

/* Takes over path. */
static char *check_allowed(const struct path_image *image, const char *what, char *path,
			   const struct allow_dirs *allow, char **real)
{
	*real = realpath(path, NULL);
	if (!*real)
		cc_error("%s: its %s %s: %s", image->path, what, path, strerror(errno));
	else if (check_links(image, what, path, allow, *real))
		return path;
	free(*real);
	*real = NULL;
	free(path);
	return NULL;
}

static void say_protocol(const char *image, const char *name, const char *what)
{
	/* qemu-img can change the name of a backing file without opening it, but no other names. */
	if (!strcmp(what, PATH_BACKING))
		cc_error("%s: its %s '%s' is not the name of a plain file and is never followed: name one with qemu-img rebase -u -b FILE -F FORMAT, or list the layers with 'cowchain attach --layer'",
			 image, what, name);
	else
		cc_error("%s: its %s '%s' is not the name of a plain file and is never followed: 'cowchain attach' takes one as --layer qcow2:FILE,data=FILE",
			 image, what, name);
}

char *path_follow(const struct path_image *image, const char *name, const char *what,
		  const struct allow_dirs *allow, char **real)
{
	char *dir, *path;

	*real = NULL;
	if (!name[0]) {
		cc_error("%s: the name of the %s in its header is empty", image->path, what);
		return NULL;
	}
	if (path_has_protocol(name)) {
		say_protocol(image->path, name, what);
		return NULL;
	}
	if (name[0] == '/')
		return check_allowed(image, what, xstrdup(name), allow, real);
	dir = path_dir(image->path);
	path = join(dir, name);
	free(dir);
	return check_allowed(image, what, path, allow, real);
}
