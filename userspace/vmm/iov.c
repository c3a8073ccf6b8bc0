// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies from and to scatter lists, and cuts them.
 */
#include <string.h>

#include "iov.h"

uint64_t iov_bytes(const struct iov_list *l)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < l->n; i++)
		sum += l->v[i].iov_len;
	return sum;
}

void iov_drop_front(struct iov_list *l, uint64_t len)
{
	while (l->n && len >= l->v->iov_len) {
		len -= l->v->iov_len;
		l->v++;
		l->n--;
	}
	if (l->n && len) {
		l->v->iov_base = (char *)l->v->iov_base + len;
		l->v->iov_len -= len;
	}
}

void iov_drop_back(struct iov_list *l, uint64_t len)
{
	while (l->n && len >= l->v[l->n - 1].iov_len) {
		len -= l->v[l->n - 1].iov_len;
		l->n--;
	}
	if (l->n)
		l->v[l->n - 1].iov_len -= len;
}

/* One loop for both directions, to have the arithmetic only once. */
static size_t iov_copy(const struct iov_list *l, uint64_t off, void *buf, size_t len, bool to_list)
{
	size_t done = 0;

	for (unsigned int i = 0; i < l->n && done < len; i++) {
		size_t room = l->v[i].iov_len;
		char *p = l->v[i].iov_base;

		if (off >= room) {
			off -= room;
			continue;
		}
		p += off;
		room -= off;
		off = 0;
		if (room > len - done)
			room = len - done;
		if (to_list)
			memcpy(p, (char *)buf + done, room);
		else
			memcpy((char *)buf + done, p, room);
		done += room;
	}
	return done;
}

size_t iov_read(const struct iov_list *l, uint64_t off, void *to, size_t len)
{
	return iov_copy(l, off, to, len, false);
}

size_t iov_write(const struct iov_list *l, uint64_t off, const void *from, size_t len)
{
	return iov_copy(l, off, (void *)from, len, true);
}

bool iov_aligned(const struct iov_list *l, size_t align)
{
	for (unsigned int i = 0; i < l->n; i++)
		if (((uintptr_t)l->v[i].iov_base | l->v[i].iov_len) & (align - 1))
			return false;
	return true;
}
