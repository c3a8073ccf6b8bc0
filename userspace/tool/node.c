// SPDX-License-Identifier: GPL-2.0-only
/*
 * The owner of the node of a device.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node.h"
#include "number.h"
#include "plan.h"
#include "util.h"

#define DEFAULT_MODE 0600
/* What chown() takes for "as it is". */
#define NO_ID UINT32_MAX

static int take_number(const char *text, unsigned int *id)
{
	uint64_t number;

	if (parse_u64(text, &number) || number >= NO_ID)
		return -1;
	*id = (unsigned int)number;
	return 0;
}

/* A number need not be that of a user. Then the group is a number, too, and has to be given. */
static int take_user(const char *text, struct dm_marks *marks, bool *has_group)
{
	const struct passwd *user = getpwnam(text);

	*has_group = user;
	if (!user)
		return take_number(text, &marks->uid);
	marks->uid = user->pw_uid;
	marks->gid = user->pw_gid;
	return 0;
}

static int take_group(const char *text, struct dm_marks *marks)
{
	const struct group *group = getgrnam(text);

	if (!group)
		return take_number(text, &marks->gid);
	marks->gid = group->gr_gid;
	return 0;
}

static int take_mode(const char *text, struct dm_marks *marks)
{
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	/* Of a node, others mean nothing. */
	if (!*text || *end || *text == '-' || mode > 0666 || mode & 0111)
		return cc_usage("attach", "--mode %s: must be a mode of a device, such as 0660", text);
	marks->mode = (mode_t)mode;
	return 0;
}

static int take_names(char *user, char *group, struct dm_marks *marks)
{
	bool has_group;

	if (take_user(user, marks, &has_group))
		return cc_usage("attach", "--owner %s: there is no such user", user);
	if (group && take_group(group, marks))
		return cc_usage("attach", "--owner %s:%s: there is no such group", user, group);
	if (!group && !has_group)
		return cc_usage("attach", "--owner %s: give a group, too: %s:GROUP", user, user);
	return 0;
}

int node_take_owner(const char *owner, const char *mode, struct dm_marks *marks)
{
	char *user, *colon;
	int ret;

	if (!owner)
		return mode ? cc_usage("attach", "--mode is for --owner: give both") : 0;
	user = xstrdup(owner);
	colon = strchr(user, ':');
	if (colon)
		*colon = '\0';
	ret = take_names(user, colon ? colon + 1 : NULL, marks);
	free(user);
	marks->owned = true;
	marks->mode = DEFAULT_MODE;
	return ret || !mode ? ret : take_mode(mode, marks);
}

static void plan_give(const char *node, const struct dm_marks *marks)
{
	char *owner = xasprintf("%u:%u", marks->uid, marks->gid), *mode = xasprintf("%04o", marks->mode);

	plan_line("chown", owner, node, (char *)NULL);
	plan_line("chmod", mode, node, (char *)NULL);
	free(mode);
	free(owner);
}

void node_give(const char *name, const struct dm_marks *marks)
{
	char *node = xasprintf("/dev/mapper/%s", name);

	/* The mode first: until then nobody else may open it. udev's node is a link, and the directory is root's. */
	if (plan_wanted())
		plan_give(node, marks);
	else if (chmod(node, marks->mode & 0600) || chown(node, marks->uid, marks->gid) || chmod(node, marks->mode))
		cc_note("%s: cannot give it to its owner: %s", node, strerror(errno));
	free(node);
}
