/* SPDX-License-Identifier: GPL-2.0-only */
/* The first resume of a table: layers are loaded, a view is made of them. */
#ifndef COWCHAIN_ACTIVATE_H
#define COWCHAIN_ACTIVATE_H

#include "cowchain.h"

/**
 * cc_activate() - make a view of the layers that the table line names.
 *
 * Context: process, cc->ctl held. Return: 0, or -errno with all layers unloaded, so that it can be
 * tried again.
 */
int cc_activate(struct cowchain *cc);

/* Close all layers, those of the view or those of the table line. Context: process. */
void cc_close_layers(struct cowchain *cc);

#endif /* COWCHAIN_ACTIVATE_H */
