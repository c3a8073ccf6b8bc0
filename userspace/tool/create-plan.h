/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What makes an image, as a line of shell: see plan.h.
 */
#ifndef COWCHAIN_CREATE_PLAN_H
#define COWCHAIN_CREATE_PLAN_H

#include "create.h"

/* In place of create_image(). Returns 0, or -1 after a message. */
int create_plan(const struct create_request *req, struct created *files);

#endif
