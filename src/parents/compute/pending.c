/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "parents/compute/priv.h"

static struct base_list *bucket_of(struct compute_pendings *p, uint64_t id)
{
	/* Clients count their ids; one that chooses them badly slows down its own session only. */
	return &p->buckets[id % COMPUTE_PENDING_BUCKETS];
}

static bool is_limited(const struct compute_pending *e)
{
	return !e->segment; /* those are limited by the number of segments */
}

static struct compute_pending *find(struct compute_pendings *p, uint64_t id)
{
	struct compute_pending *e;

	base_list_for_each(e, bucket_of(p, id), node)
		if (e->id == id)
			return e;
	return NULL;
}

void compute_pendings_init(struct compute_pendings *p)
{
	for (unsigned int i = 0; i < COMPUTE_PENDING_BUCKETS; i++)
		base_list_init(&p->buckets[i]);
	p->nr = 0;
}

int compute_pendings_add(struct compute_pendings *p, const struct compute_pending *what)
{
	struct compute_pending *e;

	if (find(p, what->id))
		return -EEXIST;
	if (is_limited(what) && p->nr >= COMPUTE_PENDING_MAX)
		return -EBUSY;
	e = malloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	*e = *what;
	base_list_append(bucket_of(p, what->id), &e->node);
	p->nr += is_limited(e);
	return 0;
}

static struct compute_pending *take(struct compute_pendings *p, struct compute_pending *e)
{
	base_list_remove(&e->node);
	p->nr -= is_limited(e);
	return e;
}

struct compute_pending *compute_pendings_take(struct compute_pendings *p, uint64_t id)
{
	struct compute_pending *e = find(p, id);

	return e ? take(p, e) : NULL;
}

struct compute_pending *compute_pendings_take_any(struct compute_pendings *p)
{
	for (unsigned int i = 0; i < COMPUTE_PENDING_BUCKETS; i++)
		if (!base_list_is_empty(&p->buckets[i]))
			return take(p, base_container_of(p->buckets[i].next, struct compute_pending, node));
	return NULL;
}
