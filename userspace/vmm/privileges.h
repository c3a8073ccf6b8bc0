/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The user as whom the launcher runs a guest, and giving up the rights of root.
 */
#ifndef VMM_PRIVILEGES_H
#define VMM_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Without --user, a launcher that root starts becomes the user LAUNCHER_UIDS plus its process id:
 * one that no other launcher has at that time, and nobody else. The range lies between those that
 * containers use and those that systemd has reserved, and below 2^31.
 */
#define LAUNCHER_UIDS	1879048192U
/* If that one does not exist, as in most user namespaces. */
#define NOBODY		65534U

struct privileges {
	bool given;			/* --user: this one, or failure */
	uid_t uid;
	gid_t gid;
};

/* Parse USER[:GROUP]; both are names or numbers. Returns 0, or -EINVAL if there is none such. */
int privileges_parse(struct privileges *p, const char *arg);

/*
 * Root becomes the user above; other users keep their id. All capabilities are dropped whether or
 * not that succeeds, and no program can bring any back. To be called before any thread exists.
 * Returns 0, or -errno after a message.
 */
int privileges_drop(const struct privileges *p);

#endif
