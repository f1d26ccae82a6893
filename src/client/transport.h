/* SPDX-License-Identifier: MIT */
/*
 * How a session reaches its device: over the socket of a device process, or through the driver of a guest.  What they
 * have in common (records, handles, pools, when to wait) knows neither.
 *
 * Errors are those of client.h; a call that finds out that the session is lost ends it (client_session_lose()).
 */
#ifndef CLIENT_TRANSPORT_H
#define CLIENT_TRANSPORT_H

#include "client/context.h"
#include "client/segments.h"

/* What the device says of itself before there is a session. */
struct client_facts {
	uint32_t version; /* of the wire, to be used */
	uint64_t features; /* TRNC_FEATURE_* on offer */
	uint64_t window_size;
	uint8_t uuid[16];
};

/* What the session got. */
struct client_grant {
	uint64_t quota, service; /* bytes */
	uint64_t flags;		 /* TRNC_SESSION_* */
	uint64_t window_size;	 /* bytes; at most what was offered */
	void *probe;		 /* owned: malloc'ed; the device's answers about itself */
	size_t probe_len;
};

/* Text that waits to be written out, for the thread that does so. */
struct client_text {
	struct trnc_output *head;
	bool (*has_news)(void *data); /* the thread has something to do */
	void *data;
};

struct client_transport {
	/* Return: a descriptor, closed by the session's end and in forked children. */
	int (*connect)(struct client_device *d, struct trn_error *err);
	int (*hello)(struct client_session *s, struct client_facts *ret, struct trn_error *err);
	/* With s->window, window_size and features set. */
	int (*create)(struct client_session *s, const struct client_facts *facts, struct client_grant *ret,
		      struct trn_error *err);
	/* Nobody uses it any more; the descriptor is closed by the caller. Optional. */
	void (*finish)(struct client_session *s);
	/* Just lost, s->lock held: ends all calls that wait. Optional. */
	void (*end_calls_locked)(struct client_session *s);
	/* Handles what has come, a loss too, and waits up to timeout_ms for something (0: not at all). */
	void (*drain)(struct client_session *s, int timeout_ms);
	int (*memory)(struct client_session *s, struct trnc_memory_reply *ret, struct trn_error *err);

	/* Sets offset and ptr of a segment, whose session, kind and size are set. It is freed on failure. */
	int (*segment_create)(struct client_segment *seg, bool populate, struct trn_error *err);
	/* As client_segment_destroy(). */
	void (*segment_destroy)(struct client_segment *seg, uint32_t context, uint64_t after_pos);
	/* Children that are forked from now on have it. */
	void (*segment_show)(struct client_segment *seg);
	/* A descriptor for other programs, and a segment of what another program gave; NULL: memory cannot be shared. */
	int (*segment_export)(struct client_segment *seg, struct trn_error *err);
	int (*segment_import)(struct client_session *s, int fd, struct client_segment **ret, struct trn_error *err);

	/* Sets id, user, host, ring and ring_len, with event block 0 in *ret_block. */
	int (*context_create)(struct client_context *c, struct trnc_event_slot **ret_block, struct trn_error *err);
	/* The host's side; returns when nothing of it is left. */
	void (*context_end)(struct client_context *c);
	/* Our side: the channel and c->nr_event_blocks - 1 more blocks. */
	void (*context_free)(struct client_context *c);
	/* Of c->nr_event_blocks. */
	int (*block_add)(struct client_context *c, struct trnc_event_slot **ret_block, struct trn_error *err);

	/* seg: struct trnc_output, then data_len bytes. */
	int (*output_set)(struct client_session *s, struct client_segment *seg, uint32_t data_len,
			  struct trn_error *err);
	/* Sleeps unless there is news, until there may be or output_wake(). */
	void (*output_sleep)(struct client_session *s, const struct client_text *text);
	void (*output_wake)(struct client_session *s, struct trnc_output *head);

	/* request and reply are staging memory. *ret_len is not checked. */
	int (*build)(struct client_context *c, uint64_t program, const struct client_mem *request,
		     const struct client_mem *reply, uint64_t *ret_len, struct trn_error *err);
	int (*query)(struct client_context *c, uint64_t program, enum trnc_query what, const struct client_mem *reply,
		     uint64_t *ret_len, struct trn_error *err);

	/* As client_wait_for() without spinning. */
	int (*sleep)(struct client_context *c, const struct client_condition *cond, int64_t deadline_ns);
	/* Ends the sleep of all, who look again. */
	void (*wake)(struct client_context *c);
	/* The same when the session is lost; any locks. */
	void (*wake_lost)(struct client_context *c);

	/* The host slept on its flag, which was taken back: wakes it. context 0: it waits for room for text. */
	void (*ring)(struct client_session *s, uint32_t context, _Atomic uint32_t *flag);

	/* The numbers of processors mean the same to both sides. */
	bool is_same_machine;
};

extern const struct client_transport client_socket;
#ifdef CLIENT_ACCEL
extern const struct client_transport client_accel;
#endif

/* After what the host waits for was published: wakes it if it sleeps. */
static inline void client_ring_host(struct client_session *s, uint32_t context, __u32 *word)
{
	_Atomic uint32_t *flag = client_word32(word);

	if (atomic_load(flag) && atomic_exchange(flag, 0))
		s->transport->ring(s, context, flag);
}

#endif
