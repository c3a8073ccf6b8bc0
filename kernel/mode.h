/* SPDX-License-Identifier: GPL-2.0-only */
/* The mode of the chain, and log messages that are limited in number. */
#ifndef COWCHAIN_MODE_H
#define COWCHAIN_MODE_H

#include "cowchain.h"

/**
 * cc_err_limit() - cc_err(), limited in number for each mapped device.
 *
 * A device with a bad layer does not silence the others. Context: any.
 */
__printf(2, 3) void cc_err_limit(struct cowchain *cc, const char *fmt, ...);

/**
 * cc_set_mode() - make the mode worse.
 * @why: begins the log message.
 *
 * Logs and raises an event if the mode was better before. Context: process.
 */
void cc_set_mode(struct cowchain *cc, enum cc_mode mode, const char *why);

/**
 * cc_writes_failed() - end all writes, since the top's writer has failed.
 *
 * Bits that can't be made durable must not be added to. Context: process.
 */
void cc_writes_failed(struct cowchain *cc, int error);

/**
 * cc_check_live() - refuse what must not be done while the device is suspended.
 *
 * That is all that makes a thread, a workqueue, a dm-bufio client or counters of a view, that looks
 * up a path, or that patches code: it would wait for locks under cc->ctl, which the resume takes.
 * Somebody may hold those locks who reclaims memory, and who waits for I/O of this device. As long
 * as it is not suspended, I/O goes on, also when a suspend waits for cc->ctl.
 *
 * Context: cc->ctl held. Return: 0, or -EAGAIN; logged.
 */
int cc_check_live(struct cowchain *cc);

#endif /* COWCHAIN_MODE_H */
