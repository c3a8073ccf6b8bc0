// SPDX-License-Identifier: GPL-2.0-only
/*
 * Split virtqueues, the device's side.
 */
#include <errno.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "util.h"
#include "virtqueue.h"

/*
 * The rings are shared with running vCPUs. Each field is loaded exactly once, by these functions,
 * so that the value that was checked is the one that is used.
 */
#define load(p)			__atomic_load_n(p, __ATOMIC_RELAXED)
#define load_acquire(p)		__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store(p, v)		__atomic_store_n(p, v, __ATOMIC_RELAXED)
#define store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define full_barrier()		__atomic_thread_fence(__ATOMIC_SEQ_CST)

static int broken(struct virtqueue *vq, const char *rule)
{
	vq->broken = rule;
	return -EPROTO;
}

static const uint16_t *avail_idx(const struct virtqueue *vq)
{
	return vq->avail + 1;
}

static const uint16_t *avail_entry(const struct virtqueue *vq, uint16_t i)
{
	return vq->avail + 2 + (i & (vq->size - 1));
}

static const uint16_t *used_event(const struct virtqueue *vq)
{
	return vq->avail + 2 + vq->size;
}

static uint16_t *used_flags(const struct virtqueue *vq)
{
	return (uint16_t *)vq->used;
}

static uint16_t *used_idx(const struct virtqueue *vq)
{
	return (uint16_t *)(vq->used + 2);
}

static struct vring_used_elem *used_entry(const struct virtqueue *vq, uint16_t i)
{
	return (struct vring_used_elem *)(vq->used + 4) + (i & (vq->size - 1));
}

static uint16_t *avail_event(const struct virtqueue *vq)
{
	return (uint16_t *)(vq->used + 4 + vq->size * sizeof(struct vring_used_elem));
}

/* Sizes and alignments: virtio 1.2, section 2.7. The event fields always count. */
int vq_init(struct virtqueue *vq, const struct guest_mem *mem, const struct vq_config *cfg,
	    bool indirect, bool event_idx)
{
	uint64_t n = cfg->size;

	memset(vq, 0, sizeof(*vq));
	vq->mem = mem;
	vq->size = cfg->size;
	vq->indirect = indirect;
	vq->event_idx = event_idx;
	/*
	 * "The driver MUST NOT create a chain longer than the queue size", but Linux does: a driver
	 * that has made its ring smaller still sends seg_max segments, in an indirect table.
	 */
	vq->max_chain = indirect ? VQ_MAX_SIZE : vq->size;

	if (!is_power_of_two(n) || n > VQ_MAX_SIZE)
		return broken(vq, "queue size is not a power of two in range");
	if (cfg->desc % 16 || cfg->avail % 2 || cfg->used % 4)
		return broken(vq, "ring is not aligned");

	vq->desc = mem_range(mem, cfg->desc, n * sizeof(struct vring_desc));
	vq->avail = mem_range(mem, cfg->avail, 6 + 2 * n);
	vq->used = mem_range(mem, cfg->used, 6 + n * sizeof(struct vring_used_elem));
	if (!vq->desc || !vq->avail || !vq->used)
		return broken(vq, "ring lies outside memory");
	return 0;
}

/*
 * Copy the descriptor: after the barrier, the compiler cannot load it again. Copied by bytes, since
 * indirect tables need not be aligned.
 */
static struct vring_desc load_desc(const uint8_t *table, uint32_t i)
{
	struct vring_desc d;

	memcpy(&d, table + i * sizeof(d), sizeof(d));
	__asm__ volatile("" : : : "memory");
	return d;
}

static int add_segment(struct virtqueue *vq, struct vq_chain *c, const struct vring_desc *d)
{
	unsigned int n = c->out.n + c->in.n;
	void *p;

	if (n >= vq->max_chain)
		return broken(vq, "descriptor chain loops or is too long");
	p = mem_range(vq->mem, d->addr, d->len);
	if (!p)
		return broken(vq, "buffer is empty or lies outside memory");

	c->iov[n] = (struct iovec) { .iov_base = p, .iov_len = d->len };
	if (d->flags & VRING_DESC_F_WRITE) {
		if (!c->in.n)
			c->in.v = &c->iov[n];
		c->in.n++;
	} else {
		if (c->in.n)
			return broken(vq, "readable buffer behind a writable one");
		c->out.n++;
	}
	return 0;
}

/*
 * Follow a chain from entry `i` of a table of `n`. Each step adds a segment or ends, and
 * add_segment() accepts at most vq->max_chain, so a loop in the chain ends as well.
 */
static int walk(struct virtqueue *vq, struct vq_chain *c, const uint8_t *table,
		uint32_t n, uint32_t i, bool in_indirect)
{
	for (;;) {
		struct vring_desc d;
		int r;

		if (i >= n)
			return broken(vq, "descriptor index out of range");
		d = load_desc(table, i);

		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (!vq->indirect || in_indirect)
				return broken(vq, "indirect descriptor where none may be");
			if (d.flags & VRING_DESC_F_NEXT)
				return broken(vq, "indirect descriptor with a successor");
			if (!d.len || d.len % sizeof(d) || d.len / sizeof(d) > vq->max_chain)
				return broken(vq, "indirect table has a bad length");
			table = mem_range(vq->mem, d.addr, d.len);
			if (!table)
				return broken(vq, "indirect table lies outside memory");
			return walk(vq, c, table, d.len / sizeof(d), 0, true);
		}

		r = add_segment(vq, c, &d);
		if (r || !(d.flags & VRING_DESC_F_NEXT))
			return r;
		i = d.next;
	}
}

int vq_pop(struct virtqueue *vq, struct vq_chain *c)
{
	uint16_t waiting, head;
	int r;

	if (vq->broken)
		return -EPROTO;
	/* Acquire: pairs with the driver, which writes the entries before it moves the index. */
	waiting = load_acquire(avail_idx(vq)) - vq->last_avail;
	if (!waiting)
		return 0;
	if (waiting > vq->size)
		return broken(vq, "available index runs ahead of the ring");
	if (vq->in_flight >= vq->size)
		return broken(vq, "more buffers available than the ring has");
	head = load(avail_entry(vq, vq->last_avail));
	c->head = head;
	c->out = (struct iov_list) { .v = c->iov };
	c->in = (struct iov_list) { .v = c->iov };
	r = walk(vq, c, vq->desc, vq->size, head, false);
	if (r)
		return r;
	vq->last_avail++;
	vq->in_flight++;
	return 1;
}

void vq_push(struct virtqueue *vq, uint16_t head, uint32_t len)
{
	struct vring_used_elem *e = used_entry(vq, vq->used_idx);

	store(&e->id, head);
	store(&e->len, len);
	vq->used_idx++;
	vq->in_flight--;
	/* Release: data and entry must be visible before the index. */
	store_release(used_idx(vq), vq->used_idx);
}

bool vq_interrupt_due(struct virtqueue *vq)
{
	uint16_t old = vq->told_idx;

	if (old == vq->used_idx)
		return false;
	vq->told_idx = vq->used_idx;
	/*
	 * Pairs with the barrier of the driver, which enables interrupts and then checks the index
	 * again.
	 */
	full_barrier();
	if (vq->event_idx)
		return vring_need_event(load(used_event(vq)), vq->used_idx, old);
	return !(load(vq->avail) & VRING_AVAIL_F_NO_INTERRUPT);
}

void vq_kicks_off(struct virtqueue *vq)
{
	/* With event indexes the stale avail_event suffices: the driver passes it once at most. */
	if (!vq->event_idx)
		store(used_flags(vq), VRING_USED_F_NO_NOTIFY);
}

bool vq_kicks_on(struct virtqueue *vq)
{
	if (vq->event_idx)
		store(avail_event(vq), vq->last_avail);
	else
		store(used_flags(vq), 0);
	/*
	 * Pairs with the barrier of the driver, which moves the index and then checks whether to
	 * notify.
	 */
	full_barrier();
	return load(avail_idx(vq)) != vq->last_avail;
}
