/* SPDX-License-Identifier: MIT */
/*
 * Requests on the control channel, from many threads at once and without a thread of its own: of those that wait, one
 * receives for all; when its own reply is there it leaves the job to another.
 */
#ifndef CLIENT_RPC_H
#define CLIENT_RPC_H

#include "client/session.h"

struct client_request {
	enum trnc_msg_type type;
	const void *body;
	size_t len; /* of the body: one of the wire's structs */
	void *reply; /* the body of the reply goes here ... */
	size_t reply_len; /* ... which has exactly this length */
	int *ret_fd; /* not NULL: the reply carries one descriptor, which is the caller's then */
};

/*
 * Sends and waits for the reply.  Return: 0; -ESHUTDOWN lost; the negative errno of a refusal (err gets the device's
 * sentence); -EPROTO: the reply is not what it has to be, the session is lost.
 */
int client_rpc(struct client_session *s, const struct client_request *req, struct trn_error *err);

struct client_segment;
/* SEGMENT_DESTROY without waiting: the segment goes to s->dying, and whoever receives the reply finishes it. */
void client_rpc_segment_destroy(struct client_session *s, struct client_segment *seg,
				const struct trnc_segment_destroy *req);

/* Handles what has arrived, waiting up to timeout_ms for something (0: not at all). Finds out that the peer is gone. */
void client_rpc_drain(struct client_session *s, int timeout_ms);

/* The session is lost: ends every request. */
void client_rpc_end_all_locked(struct client_session *s);

#endif
