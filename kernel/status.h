/* SPDX-License-Identifier: GPL-2.0-only */
/* dm's status method. Context: process. */
#ifndef COWCHAIN_STATUS_H
#define COWCHAIN_STATUS_H

#include <linux/device-mapper.h>

void cc_status(struct dm_target *ti, status_type_t type, unsigned int flags,
	       char *result, unsigned int maxlen);

#endif /* COWCHAIN_STATUS_H */
