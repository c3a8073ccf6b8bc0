// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gives up the rights of root: ids, capabilities, and the ways to get them back.
 */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "number.h"
#include "privileges.h"
#include "util.h"

static int parse_id(const char *s, uint32_t *id)
{
	uint64_t val;

	/* The last one means "no change" to the kernel. */
	if (parse_u64(s, &val) || val >= UINT32_MAX)
		return -EINVAL;
	*id = val;
	return 0;
}

static int find_user(struct privileges *p, const char *name)
{
	const struct passwd *pw = getpwnam(name);

	if (!pw && parse_id(name, &p->uid))
		return -EINVAL;
	if (pw)
		p->uid = pw->pw_uid;
	p->gid = pw ? pw->pw_gid : p->uid;
	return 0;
}

static int find_group(struct privileges *p, const char *name)
{
	const struct group *gr = getgrnam(name);

	if (!gr)
		return parse_id(name, &p->gid);
	p->gid = gr->gr_gid;
	return 0;
}

int privileges_parse(struct privileges *p, const char *arg)
{
	const char *colon = strchr(arg, ':');
	char user[256];
	int err;

	snprintf(user, sizeof(user), "%.*s", (int)(colon ? colon - arg : (long)strlen(arg)), arg);
	err = find_user(p, user);
	if (!err && colon)
		err = find_group(p, colon + 1);
	/* Root is who this is not about. */
	if (!err && (!p->uid || !p->gid))
		err = -EINVAL;
	p->given = !err;
	return err;
}

/* The group first: without root's rights it cannot be changed any more. */
static int become(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return -errno;
	return 0;
}

static int change_ids(const struct privileges *p)
{
	uid_t own = LAUNCHER_UIDS + getpid();
	int err;

	if (geteuid()) {
		if (p->given && p->uid != geteuid())
			return say_errno(EPERM, "cannot become user %u", p->uid);
		return 0;
	}
	if (p->given) {
		err = become(p->uid, p->gid);
		return err ? say_errno(-err, "cannot become user %u, group %u", p->uid, p->gid) : 0;
	}
	err = become(own, own);
	if (err == -EINVAL)
		err = become(NOBODY, NOBODY);
	/* A container may forbid it, or have no such user: then the rest has to do. */
	if (err)
		say_errno(-err, "keeping user %u, without capabilities: cannot become another one",
			  geteuid());
	return 0;
}

/*
 * From the bounding set, too, while CAP_SETPCAP is still there: a user id that could not be changed
 * may be root's, who gets what is in that set at each execve().
 */
static void empty_bounding_set(void)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	return syscall(SYS_capset, &h, none) ? -errno : 0;
}

int privileges_drop(const struct privileges *p)
{
	int err;

	empty_bounding_set();
	err = change_ids(p);
	if (err)
		return err;
	err = drop_capabilities();
	if (err)
		return say_errno(-err, "cannot drop the capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return say_errno(errno, "cannot set no_new_privs");
	return 0;
}
