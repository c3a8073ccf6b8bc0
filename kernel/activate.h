/* SPDX-License-Identifier: GPL-2.0-only */
/* The first resume of a table: layers are loaded, a view is made of them. */
#ifndef COWCHAIN_ACTIVATE_H
#define COWCHAIN_ACTIVATE_H

#include "cowchain.h"

struct cc_layer;

/**
 * cc_activate() - make a view of the layers that the table line names.
 *
 * Context: process, cc->ctl held. Return: 0, or -errno with all layers unloaded, so that it can be
 * tried again.
 */
int cc_activate(struct cowchain *cc);

/* Close all layers, those of the view or those of the table line. Context: process. */
void cc_close_layers(struct cowchain *cc);

/**
 * cc_layer_make_top() - give a loaded, writable layer what a top has: map, writer.
 *
 * If the writer fails, the chain becomes read-only.
 *
 * Context: process. Return: 0, or -ENOMEM; call cc_layer_end_top() in any case.
 */
int cc_layer_make_top(struct cc_layer *layer);

/*
 * Free map and writer, if there are any. No bio has used them for a grace period. Context: process.
 */
void cc_layer_end_top(struct cc_layer *layer);

#endif /* COWCHAIN_ACTIVATE_H */
