/* SPDX-License-Identifier: MIT */
/* A context: its channel to the host, and the handles, event slots and memory that belong to it. */
#ifndef CLIENT_CONTEXT_H
#define CLIENT_CONTEXT_H

#include "client/ids.h"
#include "client/pool.h"
#include "client/session.h"

/* The wire's words in shared memory, as atomics. */
static inline _Atomic uint64_t *client_word64(__u64 *p)
{
	return (_Atomic uint64_t *)p;
}

static inline _Atomic uint32_t *client_word32(__u32 *p)
{
	return (_Atomic uint32_t *)p;
}

/* Room for a burst of some 13,000 launches: the program's thread writes them at 0.1 us each and need not share the
 * processors with the host's threads while they are worked off. */
#define CLIENT_RING_LEN (2u << 20)
#define CLIENT_BLOCK_BYTES (TRNC_EVENT_BLOCK_SLOTS * (uint32_t)sizeof(struct trnc_event_slot))

/* Memory whose BUFFER_DESTROY record the host has not worked off yet. */
struct client_deferred {
	struct client_mem mem;
	uint64_t event; /* complete: the host has let go */
};

/* What is known of the host's clock (clock.c); in a guest. */
struct client_clock {
	pthread_mutex_t lock;
	int64_t offset;	    /* of the host's clock to ours, at most */
	uint64_t looked_at; /* ours; 0: never */
	uint64_t last;	    /* what was said last: it never goes back */
};

struct client_context {
	struct client_session *session; /* counted */
	struct base_list node;		/* in session->contexts */
	uint32_t id;
	_Atomic bool lost; /* seen to be lost, for whatever reason; never taken back */
	bool is_guest; /* the channel reads as zero when the session is lost, and sleepers have targets */

	/* channel */
	struct client_segment *channel; /* over a socket: all in one service segment */
	struct trnc_user_page *user;
	struct trnc_host_page *host;
	uint8_t *ring;
	uint32_t ring_len;

	pthread_mutex_t ring_lock; /* the producer's side of the ring */
	uint64_t producer;	   /* ours; the copy in the user page is written only */
	uint64_t consumer;	   /* as read last */
	uint64_t nr_commands;	   /* issued */
	uint64_t nr_done;	   /* of these, as the host said last */
	uint32_t published_cpu;

	/* waiting (wait.c) */
	_Atomic uint32_t spin_ns; /* how long the next wait spins */
	_Atomic uint32_t crowded; /* waits without spinning that are left */
	_Atomic uint32_t crowded_next; /* how many the next time; 0 counts as the least */
	/* over a socket (socket_wait.c) */
	_Atomic bool has_leader;  /* a thread sleeps on the user page's flag, or is about to */
	_Atomic uint32_t sleep_round; /* the others sleep on this */
	_Atomic uint32_t nr_followers;
	/* through a guest's driver (accel_wait.c) */
	_Atomic uint32_t nr_sleepers; /* threads that are in WAIT, or about to be */

	struct client_clock clock;

	pthread_mutex_t handles_lock;
	struct client_ids handles[CLIENT_NR_KINDS];

	pthread_mutex_t events_lock;
	struct client_ids events;
	struct client_segment *event_segments[TRNC_MAX_EVENT_BLOCKS]; /* over a socket; [0] is NULL: part of the channel */
	struct trnc_event_slot *_Atomic event_blocks[TRNC_MAX_EVENT_BLOCKS];
	uint32_t nr_event_blocks;

	struct client_pool buffers;
	struct client_pool staging;
	/* under buffers.lock */
	struct client_deferred *deferred; /* owned; in no order */
	size_t nr_deferred, deferred_cap;
	size_t deferred_next; /* the next one to look at */
	struct base_list exact; /* struct client_segment: memory with segments of its own */
};

/* Is it lost?  Looks at the host page too, and ends the session when the executor is gone. Takes session->lock. */
bool client_context_check_lost(struct client_context *c);
/* -ESHUTDOWN with the sentence of the loss. */
int client_context_refuse_lost(struct client_context *c, struct trn_error *err);
/* The session is lost because this context's host wrote what cannot be. Return: -EPROTO. */
int client_context_blame_host(struct client_context *c, const char *text);

/* Position after the record just published; otherwise client_rec_end(). */
uint64_t client_rec_publish(struct client_context *c);

/* memory.c: takes back what the host let go; all: looks at everything. Return: pieces that are still out. */
size_t client_memory_reap(struct client_context *c, bool all);
void client_memory_finish(struct client_context *c);

/* events.c: with block 0 in the channel */
void client_events_init(struct client_context *c, struct trnc_event_slot *block0);
void client_events_finish(struct client_context *c);

#endif
