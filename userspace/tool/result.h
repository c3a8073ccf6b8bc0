/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a verb has done, as an object of JSON: verb, status (the exit status), keys of the verb, and messages, all that
 * was also said on stderr. Unless that was asked for, these functions do nothing.
 */
#ifndef COWCHAIN_RESULT_H
#define COWCHAIN_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "json.h"

/* From now on. */
void result_begin(void);
bool result_wanted(void);
/* Add a key. The order of calls is that of the keys. */
void result_text(const char *key, const char *text);	/* NULL: null */
void result_number(const char *key, uint64_t number);
void result_bool(const char *key, bool b);
/* For other values, and only if it is wanted; else NULL. */
struct json *result_json(void);
/* Print it. status: that of the program. */
void result_print(const char *verb, int status);

#endif
