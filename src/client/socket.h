/* SPDX-License-Identifier: MIT */
/* The parts of the transport over a socket; each as struct client_transport says. */
#ifndef CLIENT_SOCKET_H
#define CLIENT_SOCKET_H

#include "client/transport.h"

/* socket_session.c */
int client_socket_connect(struct client_device *d, struct trn_error *err);
int client_socket_hello(struct client_session *s, struct client_facts *ret, struct trn_error *err);
int client_socket_create(struct client_session *s, const struct client_facts *facts, struct client_grant *ret,
			 struct trn_error *err);
int client_socket_memory(struct client_session *s, struct trnc_memory_reply *ret, struct trn_error *err);
void client_socket_end_calls_locked(struct client_session *s);
int client_socket_output_set(struct client_session *s, struct client_segment *seg, uint32_t data_len,
			     struct trn_error *err);
int client_socket_build(struct client_context *c, uint64_t program, const struct client_mem *request,
			const struct client_mem *reply, uint64_t *ret_len, struct trn_error *err);
int client_socket_query(struct client_context *c, uint64_t program, enum trnc_query what,
			const struct client_mem *reply, uint64_t *ret_len, struct trn_error *err);

/* socket_segments.c */
int client_socket_segment_create(struct client_segment *seg, bool populate, struct trn_error *err);
void client_socket_segment_destroy(struct client_segment *seg, uint32_t context, uint64_t after_pos);
void client_socket_segment_show(struct client_segment *seg);

/* socket_context.c */
int client_socket_context_create(struct client_context *c, struct trnc_event_slot **ret_block, struct trn_error *err);
void client_socket_context_end(struct client_context *c);
void client_socket_context_free(struct client_context *c);
int client_socket_block_add(struct client_context *c, struct trnc_event_slot **ret_block, struct trn_error *err);

/* socket_wait.c */
int client_socket_sleep(struct client_context *c, const struct client_condition *cond, int64_t deadline_ns);
void client_socket_wake(struct client_context *c);
void client_socket_wake_lost(struct client_context *c);
void client_socket_ring(struct client_session *s, uint32_t context, _Atomic uint32_t *flag);
void client_socket_output_sleep(struct client_session *s, const struct client_text *text);
void client_socket_output_wake(struct client_session *s, struct trnc_output *head);

#endif
