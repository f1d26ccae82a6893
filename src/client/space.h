/* SPDX-License-Identifier: MIT */
/* Which parts of [0, size) are free: the session's window, given out first-fit. Not locked: one owner. */
#ifndef CLIENT_SPACE_H
#define CLIENT_SPACE_H

#include <stddef.h>
#include <stdint.h>

struct client_interval {
	uint64_t start, len;
};

struct client_space {
	struct client_interval *free; /* owned; sorted by start, never touching each other */
	size_t nr_free;
	size_t cap;
};

/* Return: 0 or -ENOMEM. */
int client_space_init(struct client_space *s, uint64_t size);
void client_space_finish(struct client_space *s);

/* The lowest free len bytes that start at a multiple of align (a power of two). -ENOSPC, -ENOMEM, -EINVAL (len 0). */
int client_space_take(struct client_space *s, uint64_t len, uint64_t align, uint64_t *ret_start);

/* Gives back what was taken. -ENOMEM: no room to note it, the range stays taken; -EINVAL: it is free already. */
int client_space_give(struct client_space *s, uint64_t start, uint64_t len);

#endif
