/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registry: dm claims all devices of all targets with one shared holder,
 * so it is up to us that a device has one writer and no readers beside it, or
 * any number of readers.  The same mapped device may hold it twice, since a
 * reloaded table is constructed while the old one lives.
 */
#ifndef COWCHAIN_REGISTRY_H
#define COWCHAIN_REGISTRY_H

#include <linux/types.h>

struct mapped_device;

/* Process.  0; -EBUSY, also for a writer while it is being sealed; -ENOMEM. */
int cc_claim(struct mapped_device *md, dev_t dev, bool writer);
void cc_unclaim(struct mapped_device *md, dev_t dev, bool writer);

/* Refuse further writers.  Process.  0, or -EBUSY if there is a second one. */
int cc_claim_seal(struct mapped_device *md, dev_t dev);
/* The writer has become a reader.  Process. */
void cc_claim_sealed(struct mapped_device *md, dev_t dev);
/* It remains the writer.  Process. */
void cc_claim_unseal(struct mapped_device *md, dev_t dev);

/* A table of @md leaves its next one an error to report; take that over.  Process. */
void cc_claim_set_owed(struct mapped_device *md, dev_t dev, bool owes);
bool cc_claim_owed(struct mapped_device *md, dev_t dev);

#endif /* COWCHAIN_REGISTRY_H */
