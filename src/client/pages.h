/* SPDX-License-Identifier: MIT */
/*
 * The room of one shared segment, given out in pieces: runs of whole pages, and below a page runs of units of 128
 * bytes in pages that are split.  All bookkeeping is private: nothing of it lies in the memory that the host sees.
 * Not locked: one owner.
 */
#ifndef CLIENT_PAGES_H
#define CLIENT_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#define CLIENT_UNIT 128u
#define CLIENT_UNITS_A_PAGE 32u

/* Pages of a pool that are split in units and have room, by the longest run of free units. */
struct client_splits {
	struct base_list by_room[CLIENT_UNITS_A_PAGE]; /* [n]: a longest run of n units; [0] is not used */
};
void client_splits_init(struct client_splits *s);

struct client_split; /* a page that is split */

struct client_pages {
	uint64_t *used;		      /* owned; a bit a page */
	struct client_split **splits; /* owned; one a page, NULL when whole; NULL while no page is split */
	uint32_t nr_pages;
	uint32_t nr_free;
	uint32_t longest_free; /* no free run is longer; may be too large */
};

/* Return: 0 or -ENOMEM. */
int client_pages_init(struct client_pages *p, uint32_t nr_pages);
void client_pages_finish(struct client_pages *p); /* split pages leave their list */

/* nr whole pages. Return: index of the first, or -ENOSPC. */
int64_t client_pages_take(struct client_pages *p, uint32_t nr);
void client_pages_give(struct client_pages *p, uint32_t first, uint32_t nr);

/*
 * A run of nr units (1 to 31) from a split page that has room, of whatever segment.  owner: what was given when the
 * page was split.  Return: false when no split page has room.
 */
bool client_units_take(struct client_splits *s, uint32_t nr, void **ret_owner, uint32_t *ret_unit);
/* The same from a page of p that is split for it. Return: unit, from the start of the segment; -ENOSPC, -ENOMEM. */
int64_t client_pages_split(struct client_pages *p, struct client_splits *s, void *owner, uint32_t nr);
/* unit counts from the start of the segment. */
void client_units_give(struct client_pages *p, struct client_splits *s, uint32_t unit, uint32_t nr);

#endif
