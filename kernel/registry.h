/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registry. dm claims all devices of all targets with one shared holder, so this module has to
 * make sure that a device has one writer and no readers, or any number of readers. The same mapped
 * device may claim it twice, since a reloaded table is constructed while the old one exists.
 */
#ifndef COWCHAIN_REGISTRY_H
#define COWCHAIN_REGISTRY_H

#include <linux/types.h>

struct mapped_device;

/*
 * Claim a device. Context: process. Return: 0, -ENOMEM or -EBUSY, also for a writer while the
 * device is being sealed.
 */
int cc_claim(struct mapped_device *md, dev_t dev, bool writer);
void cc_unclaim(struct mapped_device *md, dev_t dev, bool writer);

/* Refuse further writers. Context: process. Return: 0, or -EBUSY if there is a second one. */
int cc_claim_seal(struct mapped_device *md, dev_t dev);
/* The writer has become a reader. Context: process. */
void cc_claim_sealed(struct mapped_device *md, dev_t dev);
/* The writer remains one. Context: process. */
void cc_claim_unseal(struct mapped_device *md, dev_t dev);

/* The same for a writer that need not keep out others of its mapped device. Context: process. */
void cc_claim_end_writing(struct mapped_device *md, dev_t dev);

/* Leave the next table of @md an error to report; take that over. Context: process. */
void cc_claim_set_owed(struct mapped_device *md, dev_t dev, bool owes);
bool cc_claim_owed(struct mapped_device *md, dev_t dev);

#endif /* COWCHAIN_REGISTRY_H */
