/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * chainstress: snapshots.
 */
#ifndef COWCHAIN_STRESS_MGMT_SNAPSHOT_H
#define COWCHAIN_STRESS_MGMT_SNAPSHOT_H

#include "mgmt.h"

/* Takes a snapshot with the next spare layer; during a commit, checks that it is refused. */
void mgmt_snapshot(struct mgmt *m);

/* The chain up to @top reads like its model, which is named after it. */
void mgmt_claim(struct mgmt *m, const struct layer *top);

#endif
