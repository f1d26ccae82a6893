/* SPDX-License-Identifier: MIT */
/*
 * Handles that this side chooses: { generation << 32 | index }, so that a late message about an object that is gone
 * never hits its successor.  Not locked: one owner.
 */
#ifndef CLIENT_IDS_H
#define CLIENT_IDS_H

#include <stdbool.h>
#include <stdint.h>

struct client_ids {
	uint32_t *generations; /* owned; one an index: even while free, odd while in use */
	uint32_t *free;	       /* owned; stack of indices that were used before */
	uint32_t nr_free;
	uint32_t nr_used; /* indices below were handed out at least once */
	uint32_t cap;	  /* of both arrays */
	uint32_t limit;	  /* indices below may be handed out; may grow */
	bool is_fresh_first; /* used indices only when there are no others; else the index last freed comes first */
};

void client_ids_init(struct client_ids *ids, uint32_t limit);
void client_ids_finish(struct client_ids *ids);

/* A new handle; 0 when the limit is reached or memory is gone. */
uint64_t client_ids_new(struct client_ids *ids);
/* Nothing left below the limit? */
bool client_ids_is_full(const struct client_ids *ids);
/* False: no live handle, nothing done. */
bool client_ids_free(struct client_ids *ids, uint64_t handle);
bool client_ids_is_live(const struct client_ids *ids, uint64_t handle);

#endif
