/* SPDX-License-Identifier: MIT */
/*
 * The transport through a guest's driver (uapi/drm/tranche_accel.h); each call as struct client_transport says.  Memory and
 * channels are mapped through the device's file; the driver chooses all numbers and offsets.
 */
#ifndef CLIENT_ACCEL_H
#define CLIENT_ACCEL_H

#include <drm/tranche_accel.h>

#include "client/transport.h"

/* The calls of the system that reach the driver: those of libc, or of a test. */
struct client_accel_calls {
	int (*open)(const char *path); /* descriptor or -1 and errno */
	int (*ioctl)(int fd, unsigned long request, void *arg); /* 0 or -1 and errno */
};
extern const struct client_accel_calls client_accel_libc;

/* What a session keeps beside the rest. */
struct client_accel {
	pthread_cond_t changed; /* with session->lock */
	/* under session->lock */
	struct client_context *_Atomic contexts[TRNC_MAX_CONTEXTS + 1]; /* by number; also read without lock */
	struct client_context *pinned; /* the thread of the output sleeps on it: it must not go */
	unsigned int round;	       /* changes with contexts, and when that thread is to look again */
	uint64_t live[2];	       /* bytes that were granted and not given back, by kind - 1 */

	pthread_mutex_t shares_lock; /* over import and destruction, so that a handle does not end in between */
	struct base_list shares;     /* struct share (accel_share.c) */
};

/*
 * accel.c: an ioctl, again after a signal. Return: 0 or -errno. What ends the session ends it, with the driver's reason;
 * the raw one does not: for any locks.
 */
int client_accel_ioctl(struct client_session *s, unsigned long request, void *arg);
int client_accel_ioctl_raw(struct client_session *s, unsigned long request, void *arg);
/* A sentence about a call that failed with r. Return: as client_refuse(). */
int client_accel_refuse(struct client_session *s, int r, const char *what, struct trn_error *err);
/* Asks whether the session is lost, and ends it then. Return: is it? */
bool client_accel_is_lost(struct client_session *s);

/*
 * accel_find.c: calls add for each node of Tranche's driver, in their order; it returns 0 or -errno, which ends the search.
 * *ret_denied: NULL, or the first one that may not be opened (malloc'ed).
 */
int client_accel_find(int (*add)(void *data, const char *path), void *data, char **ret_denied);

/* accel_session.c */
int client_accel_connect(struct client_device *d, struct trn_error *err);
int client_accel_hello(struct client_session *s, struct client_facts *ret, struct trn_error *err);
int client_accel_create(struct client_session *s, const struct client_facts *facts, struct client_grant *ret,
			struct trn_error *err);
void client_accel_finish(struct client_session *s);
int client_accel_output_set(struct client_session *s, struct client_segment *seg, uint32_t data_len,
			    struct trn_error *err);
int client_accel_build(struct client_context *c, uint64_t program, const struct client_mem *request,
		       const struct client_mem *reply, uint64_t *ret_len, struct trn_error *err);
int client_accel_query(struct client_context *c, uint64_t program, enum trnc_query what,
		       const struct client_mem *reply, uint64_t *ret_len, struct trn_error *err);

/* accel_segments.c */
int client_accel_segment_create(struct client_segment *seg, bool populate, struct trn_error *err);
void client_accel_segment_destroy(struct client_segment *seg, uint32_t context, uint64_t after_pos);
void client_accel_segment_show(struct client_segment *seg);
int client_accel_memory(struct client_session *s, struct trnc_memory_reply *ret, struct trn_error *err);
void client_accel_drain(struct client_session *s, int timeout_ms);
/* Maps an object of the driver as the segment. On failure nothing is mapped. */
int client_accel_map(struct client_segment *seg, uint64_t mmap_offset, struct trn_error *err);
void client_accel_note_live(struct client_session *s, enum trnc_segment_kind kind, uint64_t bytes);
void client_accel_note_dying(struct client_session *s, enum trnc_segment_kind kind, uint64_t bytes);

/* accel_share.c */
int client_accel_export(struct client_segment *seg, struct trn_error *err);
int client_accel_import(struct client_session *s, int fd, struct client_segment **ret, struct trn_error *err);
/* Is the handle in use by another segment still?  Takes the segment off it. */
bool client_accel_unshare(struct client_segment *seg, uint32_t context, uint64_t after_pos);

/* accel_context.c */
int client_accel_context_create(struct client_context *c, struct trnc_event_slot **ret_block, struct trn_error *err);
void client_accel_context_end(struct client_context *c);
void client_accel_context_free(struct client_context *c);
int client_accel_block_add(struct client_context *c, struct trnc_event_slot **ret_block, struct trn_error *err);

/* accel_wait.c */
int client_accel_sleep(struct client_context *c, const struct client_condition *cond, int64_t deadline_ns);
void client_accel_wake(struct client_context *c);
void client_accel_ring(struct client_session *s, uint32_t context, _Atomic uint32_t *flag);
void client_accel_output_sleep(struct client_session *s, const struct client_text *text);
void client_accel_output_wake(struct client_session *s, struct trnc_output *head);

#endif
