/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * chainstress: which writer owns which sectors, and what the disk held at which moment.
 */
#ifndef COWCHAIN_STRESS_MODEL_H
#define COWCHAIN_STRESS_MODEL_H

#include "stress.h"

/* Divides the disk among the writers, by the seed. */
void model_layout(struct stress *s);
/* Does @data match what operation @id left in @sector? @id 0 is the initial disk. */
bool model_match(const struct stress *s, uint32_t id, uint32_t sector, const void *data);
void model_describe(const struct stress *s, uint32_t id, char *buf, size_t len);
/*
 * Does @fd hold what the disk was at one moment between the ticks @from and @to? Reads all of it,
 * and writes it to the file @model if that is not NULL.
 */
bool model_check_moment(struct stress *s, int fd, uint64_t from, uint64_t to, const char *model);

#endif
