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

	if (!real) {
		cc_error("--allow-dir %s: %s", dir, strerror(errno));
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
		return path[0] == '/';
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

/* May an image in the canonical directory own_dir name the canonical path real? */
static bool is_allowed(const char *real, const char *own_dir, const struct allow_dirs *allow)
{
	size_t i;

	if (path_below(real, own_dir))
		return true;
	for (i = 0; i < allow->nr; i++)
		if (path_below(real, allow->dirs[i]))
			return true;
	return false;
}

static char *check_allowed(const char *image, const char *what, char *path,
			   const struct allow_dirs *allow)
{
	char *dir = path_dir(image);
	char *own = realpath(dir, NULL);
	char *real = realpath(path, NULL);
	char *real_dir;

	if (!own || !real) {
		cc_error("%s: its %s %s: %s", image, what, path, strerror(errno));
	} else if (!is_allowed(real, own, allow)) {
		real_dir = path_dir(real);
		cc_error("%s: its %s %s is outside of %s and is not followed: if you trust the image, give --allow-dir %s",
			 image, what, real, own, real_dir);
		free(real_dir);
	} else {
		free(dir);
		free(own);
		free(real);
		return path;
	}
	free(dir);
	free(own);
	free(real);
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

char *path_follow(const char *image, const char *name, const char *what,
		  const struct allow_dirs *allow)
{
	char *dir, *path;

	if (!name[0]) {
		cc_error("%s: the name of the %s in its header is empty", image, what);
		return NULL;
	}
	if (path_has_protocol(name)) {
		say_protocol(image, name, what);
		return NULL;
	}
	if (name[0] == '/')
		return check_allowed(image, what, xstrdup(name), allow);
	dir = path_dir(image);
	path = join(dir, name);
	free(dir);
	return check_allowed(image, what, path, allow);
}
