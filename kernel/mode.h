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

#endif /* COWCHAIN_MODE_H */
