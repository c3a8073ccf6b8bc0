/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Opens the devices of a layer of an active chain for reading, as the kernel has them.
 */
#ifndef COWCHAIN_LIVE_LAYER_H
#define COWCHAIN_LIVE_LAYER_H

#include <stdint.h>
#include <sys/types.h>

#include "tail.h"
#include "target.h"

/*
 * struct live_layer - its devices
 * @fd: the device with the image, or with the raw disk, with O_DIRECT.
 * @size: bytes of it.
 * @tail: what it does not show of its file.
 * @data_size: bytes of what holds the data, with the tail.
 */
struct live_layer {
	int fd;
	uint64_t size;
	struct tail tail;
	uint64_t data_size;
};

/*
 * Open a layer by its number in the table. The caller closes fd. Returns 0, or -1 without a message: it is gone, or
 * cannot be seen from here.
 */
int live_layer_open(const struct table *table, unsigned int number, struct live_layer *layer);

/* Open descriptors of devices: loop devices of a chain stay as long as these, whatever becomes of the chain. */
struct live_hold {
	int *fds;
	unsigned int nr;
};

/* Hold the devices of the first nr layers. Returns 0, or -1 without a message: then nothing is held. */
int live_hold(const struct table *table, unsigned int nr, struct live_hold *held);
void live_unhold(struct live_hold *held);

#endif
