// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walks through symbolic links.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "path-links.h"
#include "util.h"

/* As many as the kernel follows. */
#define MAX_LINKS 40

static bool is_trusted(const struct stat *st)
{
	return !st->st_uid || st->st_uid == geteuid();
}

static bool others_write(const struct stat *st)
{
	return st->st_mode & (S_IWGRP | S_IWOTH);
}

/* A sticky directory keeps what belongs to root, whoever else may write to it. */
static bool is_fixed_dir(const struct stat *st)
{
	return is_trusted(st) && (!others_write(st) || st->st_mode & S_ISVTX);
}

/* What a link leads to; NULL if it is none. Caller frees. */
static char *read_link(const char *path)
{
	char target[PATH_MAX];
	ssize_t len = readlink(path, target, sizeof(target) - 1);

	return len <= 0 ? NULL : xstrndup(target, (size_t)len);
}

/* A walk: done is canonical, without a slash at its end; left is still to be walked. */
struct walk {
	char *done;
	char *left;
	struct stat dir;	/* done */
	unsigned int links;
};

/* Take a component off. NULL: there is none. Caller frees. */
static char *next_part(struct walk *walk)
{
	char *start = walk->left + strspn(walk->left, "/");
	size_t len = strcspn(start, "/");
	char *part = len ? xstrndup(start, len) : NULL;

	memmove(walk->left, start + len, strlen(start + len) + 1);
	return part;
}

static bool go_up(struct walk *walk)
{
	char *slash = strrchr(walk->done, '/');

	if (slash)
		*slash = '\0';
	return !stat(*walk->done ? walk->done : "/", &walk->dir);
}

static bool follow_link(struct walk *walk, const char *link)
{
	char *target = read_link(link), *left;

	if (!target || ++walk->links > MAX_LINKS) {
		free(target);
		return false;
	}
	left = xasprintf("%s/%s", target, walk->left);
	free(walk->left);
	walk->left = left;
	if (target[0] == '/')
		walk->done[0] = '\0';
	free(target);
	return walk->done[0] || !stat("/", &walk->dir);
}

/*
 * One component further. Nobody else can exchange it between two looks at it, since it is in a directory
 * to which nobody else may write, or belongs to root in a sticky one. false: somebody else could.
 */
static bool step(struct walk *walk, const char *part)
{
	char *path = xasprintf("%s/%s", walk->done, part);
	struct stat st;
	bool good = !lstat(path, &st);

	if (good && S_ISLNK(st.st_mode)) {
		good = is_trusted(&st) && follow_link(walk, path);
		free(path);
		return good;
	}
	if (good && S_ISDIR(st.st_mode))
		good = is_fixed_dir(&st);
	else if (good)
		/* Only the file itself may belong to somebody else. */
		good = !walk->left[strspn(walk->left, "/")] && (!others_write(&walk->dir) || is_trusted(&st));
	free(walk->done);
	walk->done = path;
	walk->dir = st;
	return good;
}

/* Can nobody but root have path lead to anything else than real? */
static bool is_fixed(const char *path, const char *real)
{
	struct walk walk = { .done = xstrdup(""), .left = xstrdup(path) };
	bool fixed = !stat("/", &walk.dir) && is_fixed_dir(&walk.dir);
	char *part;

	while (fixed && (part = next_part(&walk))) {
		if (!strcmp(part, ".."))
			fixed = go_up(&walk);
		else if (strcmp(part, "."))
			fixed = step(&walk, part);
		free(part);
	}
	fixed = fixed && !strcmp(walk.done, real);
	free(walk.done);
	free(walk.left);
	return fixed;
}

static char *join(const char *dir, const char *name)
{
	return xasprintf("%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", name);
}

/* The name in the canonical directory that has it, whatever it leads to. NULL with errno. Caller frees. */
static char *in_real_dir(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
	char *real = realpath(dir, NULL);
	char *name = real ? join(real, slash + 1) : NULL;

	free(real);
	free(dir);
	return name;
}

/* What the link with this name leads to; NULL if it is none. Caller frees. */
static char *link_target(const char *name)
{
	char *target = read_link(name), *dir, *path;

	if (!target || target[0] == '/')
		return target;
	dir = xstrndup(name, (size_t)(strrchr(name, '/') - name) + 1);
	path = join(dir, target);
	free(dir);
	free(target);
	return path;
}

void path_links_find(const char *path, const char *real, struct path_names *names)
{
	char *next = xstrdup(path), *name;

	memset(names, 0, sizeof(*names));
	while (next && names->nr <= MAX_LINKS) {
		name = in_real_dir(next);
		free(next);
		next = name ? link_target(name) : NULL;
		if (!name)
			break;
		names->names = xrealloc(names->names, names->nr + 1, sizeof(*names->names));
		names->names[names->nr++] = (struct path_name){ name, is_fixed(name, real) };
	}
	free(next);
}

void path_links_free(struct path_names *names)
{
	while (names->nr)
		free(names->names[--names->nr].path);
	free(names->names);
	names->names = NULL;
}
