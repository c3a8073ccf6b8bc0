/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * faultwalk: steps that send a message to the target.
 */
#ifndef COWCHAIN_FAULTS_STEPS_MESSAGE_H
#define COWCHAIN_FAULTS_STEPS_MESSAGE_H

#include "walk.h"

/* True if the message was accepted in the end; step_message_once() does not try again. */
bool step_message(struct walk *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool step_message_once(struct walk *w, const char *text);
/* A snapshot in two steps; @text as of the message "snapshot". */
bool step_snapshot_in_two(struct walk *w, const char *text);

#endif
