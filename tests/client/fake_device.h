/* SPDX-License-Identifier: MIT */
/*
 * A device process as threads of the test: one serves the socket, one a context reads its ring and "runs" commands, by
 * completing them.  Whatever the client does against the rules is noted as a failure, which fake_stop() reports.
 */
#ifndef FAKE_DEVICE_H
#define FAKE_DEVICE_H

#include <pthread.h>
#include <stdatomic.h>

#include "client/client.h"
#include "tranche/wire/compute.h"

#define FAKE_SEGMENTS 4096
#define FAKE_CONTEXTS ((int)TRNC_MAX_CONTEXTS + 1)
#define FAKE_QUEUES 16
#define FAKE_MSG_TYPES 16

enum fake_nonsense {
	FAKE_SANE,
	FAKE_SHORT_REPLY,
	FAKE_LONG_REPLY,
	FAKE_WRONG_ID,
	FAKE_WRONG_TYPE,
	FAKE_WRONG_LEN,
	FAKE_NO_FD,
	FAKE_UNSEALED_FD,
	FAKE_SMALL_FD,
	FAKE_BAD_STATUS,
	FAKE_BAD_MAGIC,
	FAKE_BAD_VERSION,
	FAKE_BAD_WINDOW,
	FAKE_RUNT,
};

struct fake_segment {
	uint64_t offset, size;
	uint32_t kind;
	int fd;
	uint8_t *ptr;
	/* being destroyed */
	uint64_t destroy_id;
	uint32_t destroy_context;
	uint64_t destroy_pos;
};

struct fake_context {
	struct fake *fake;
	uint32_t id; /* 0: not in use */
	uint8_t *channel;
	uint32_t ring_len;
	bool is_guest; /* sleepers are a driver's: news that are no completion move attention */
	struct trnc_event_slot *_Atomic blocks[TRNC_MAX_EVENT_BLOCKS];
	uint32_t nr_blocks;
	pthread_t thread;
	_Atomic bool stop;
	_Atomic uint64_t consumer;
	union {
		struct trnc_rec rec;
		uint8_t bytes[TRNC_REC_MAX];
	} copy; /* of the record that is run */
	struct fake_queue {
		uint64_t handle, event, seq;
	} queues[FAKE_QUEUES];
	/* held back: events to complete later */
	struct fake_held {
		uint64_t event;   /* or 0 */
		uint64_t queue_event, seq; /* or 0 */
	} *held;
	size_t nr_held, held_cap;
};

struct fake {
	/* what it says; set before a connection */
	uint64_t quota, service, window;
	const char *probe;
	bool has_svm; /* if the client asks for it */

	/* how it behaves; any time */
	_Atomic enum fake_nonsense nonsense;
	_Atomic uint32_t nonsense_type; /* the request that gets it */
	_Atomic uint32_t shuffle;	/* replies to PROGRAM_BUILD are collected to so many, then sent last first */
	_Atomic uint64_t reply_extra;	/* bytes that a build's reply has beyond its request's */
	_Atomic bool hold_commands, hold_destroys, hold_segments, stop_reading;

	/* what it saw */
	_Atomic uint64_t nr_requests[FAKE_MSG_TYPES], nr_records, nr_pads, nr_skips, nr_commands;
	_Atomic uint64_t used[2];
	_Atomic uint32_t nr_segments, nr_sessions;
	_Atomic uint64_t features, window_base; /* of the newest SESSION_CREATE */
	_Atomic uint64_t nr_still_mapped; /* segments that came back while the client had them mapped */

	/* private */
	char folder[32], path[64];
	int listener, conn, wake;
	pthread_t thread;
	pthread_mutex_t lock; /* tables and the sending side */
	_Atomic bool stop, drop;
	_Atomic uint64_t control_seq;
	struct fake_segment segments[FAKE_SEGMENTS];
	struct fake_context contexts[FAKE_CONTEXTS];
	struct trnc_output *_Atomic output;
	uint32_t output_len;
	uint8_t *last_result;
	uint64_t last_result_len;
	struct fake_reply {
		struct trnc_msg head;
		struct trnc_blob_reply body;
	} collected[64];
	uint32_t nr_collected;
	char failure[200];
};

/* The first call names the socket in TRANCHE_DEVICE; quota 64 MiB, service 160 MiB, window 1 GiB. */
struct fake *fake_start(void);
/* Asserts that there was no failure. */
void fake_stop(struct fake *f);

/* The device of the running fake; a new session; a new context of a new session. */
struct client_device *fake_device(void);
struct client_session *fake_connect(void);
struct client_context *fake_context_new(void);
void fake_context_free(struct client_context *c); /* and the session's reference of fake_context_new() */

void fake_drop(struct fake *f); /* closes the connection */
void fake_farewell(struct fake *f, const char *text);
void fake_print(struct fake *f, const char *text);
void fake_lose_contexts(struct fake *f, enum trnc_lost reason);
/* Completes what was held back, in order, up to max. Return: how many. */
size_t fake_release(struct fake *f, size_t max);

void fake_fail(struct fake *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* fake_host.c */
void *fake_run_context(void *context);
void *fake_at(struct fake *f, uint64_t offset, uint64_t len, uint32_t kind); /* lock held; NULL: not in one segment */

#endif
