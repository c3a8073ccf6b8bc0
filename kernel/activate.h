/* SPDX-License-Identifier: GPL-2.0-only */
/* The first resume of a table: layers are loaded, and the view of them is published. */
#ifndef COWCHAIN_ACTIVATE_H
#define COWCHAIN_ACTIVATE_H

#include "cowchain.h"

/**
 * cc_prepare_view() - make what the first resume needs, for the layers that the table line names.
 *
 * They have been probed. Context: process, not while the device is suspended. Return: 0 or -ENOMEM;
 * call cc_close_layers() in any case.
 */
int cc_prepare_view(struct cowchain *cc);

/**
 * cc_activate() - load the layers and publish the view of them.
 *
 * Context: process, cc->ctl held. Return: 0, or -errno with all layers unloaded, so that it can be
 * tried again.
 */
int cc_activate(struct cowchain *cc);

/* Close all layers, those of the view or those of the table line. Context: process. */
void cc_close_layers(struct cowchain *cc);

#endif /* COWCHAIN_ACTIVATE_H */
