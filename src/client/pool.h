/* SPDX-License-Identifier: MIT */
/*
 * Small pieces of memory from shared segments.  A pool has segments of 1 MiB at first, up to 8 MiB later, each cut to a
 * multiple of the piece that made it necessary, so that pieces of one size waste nothing; one empty segment is kept.
 */
#ifndef CLIENT_POOL_H
#define CLIENT_POOL_H

#include <pthread.h>

#include "base/list.h"
#include "client/client.h"
#include "client/pages.h"

struct client_pool {
	struct client_session *session; /* the context's; not counted */
	enum trnc_segment_kind kind;
	pthread_mutex_t lock;
	/* under lock */
	struct base_list roomy; /* struct client_pool_segment with a free page */
	struct base_list full;
	struct client_splits splits;
	struct client_pool_segment *kept; /* the empty one, or NULL */
	unsigned int nr_segments;
};

void client_pool_init(struct client_pool *p, struct client_session *s, enum trnc_segment_kind kind);
/* Gives all segments back, pieces in use or not. */
void client_pool_finish(struct client_pool *p);

/* A piece out of what the pool has. Return: 0, -ENOSPC (the pool must grow), -ENOMEM. With lock held. */
int client_pool_take_locked(struct client_pool *p, uint64_t size, struct client_mem *ret);

/* Gets a segment in which a piece of size fits, and takes it. Return: as client_segment_create(). Without lock. */
int client_pool_grow(struct client_pool *p, uint64_t size, struct client_mem *ret, struct trn_error *err);

/*
 * Gives a piece back.  Return: NULL, or a segment that is not needed any more: the caller drops the lock, then gives it
 * to client_segment_destroy().
 */
struct client_segment *client_pool_give_locked(struct client_pool *p, const struct client_mem *mem);

/* Gives the empty segment back. Without lock. */
void client_pool_trim(struct client_pool *p);

#endif
