/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * chainstress: messages to the target at given moments.
 */
#ifndef COWCHAIN_STRESS_SCRIPT_H
#define COWCHAIN_STRESS_SCRIPT_H

#include "stress.h"

/* A thread over struct stress that sends the messages of --at, instead of an administrator. */
void *script_thread(void *arg);

#endif
