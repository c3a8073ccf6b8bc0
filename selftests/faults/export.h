/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * faultwalk: keeps the images of a run for qemu-img.
 */
#ifndef COWCHAIN_FAULTS_EXPORT_H
#define COWCHAIN_FAULTS_EXPORT_H

#include "walk.h"

/*
 * Copies the chain up to file @top to a directory of its own and adds to the manifest that it reads
 * like @disk. The layers below are links to those in the directory above.
 */
void export_run(struct walk *w, unsigned int top, const uint8_t *disk);

#endif
