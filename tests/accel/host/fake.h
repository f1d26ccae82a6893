/* SPDX-License-Identifier: MIT */
/*
 * A host device for tests of a guest's driver: include/tranche/wire/compute_pci.h in software, without OpenCL and without
 * an executor.  Everything succeeds at once, nothing is computed.
 *
 * Threads: the server's call registers (pci.c) with the device's lock held; one, the control thread, owns sessions and their
 * segments (control.c, session.c); each context has one that reads its ring (channel.c).  They share atomics only, so no
 * thread waits for another but the control thread for contexts that it ends.
 */
#ifndef FAKE_H
#define FAKE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "fault.h"
#include "tranche/pci.h"
#include "tranche/wire/compute_pci.h"

#define FAKE_MIB ((uint64_t)1 << 20)
#define FAKE_CONTROL_SIZE (2 * FAKE_MIB)
#define FAKE_PROBE_OFFSET FAKE_MIB
#define FAKE_SERVICE (256 * FAKE_MIB)
#define FAKE_ALIGN (2 * FAKE_MIB)
#define FAKE_SESSIONS 64u
#define FAKE_QUEUES 256u
#define FAKE_VECTORS 9u

struct fake;
struct fake_session;

/* One context and the thread that reads its ring. */
struct fake_channel {
	struct fake *fake;
	struct fake_session *session;
	pthread_t thread;
	uint8_t *memory; /* of the channel, in the aperture */
	uint32_t ring_len;
	_Atomic bool stop;
	_Atomic uint64_t consumer;
	_Atomic(uint8_t *) blocks[TRNC_MAX_EVENT_BLOCKS];
	uint32_t nr_blocks;
	struct {
		uint64_t handle, event, seq;
	} queues[FAKE_QUEUES];
};

struct fake_segment {
	uint64_t offset, size; /* in its window; size 0: not used */
	uint32_t kind;	       /* 0: of the shared window, attached */
	uint64_t destroy_id;   /* not 0: it goes when context has read up to after_pos */
	uint64_t after_pos;
	uint32_t context;
};

/* All but what the doorbell and pending bits need is the control thread's. */
struct fake_session {
	uint32_t number; /* 1..FAKE_SESSIONS; 0: not open */
	uint32_t vector;
	uint64_t features;
	bool is_lost;
	uint64_t window, window_size;
	uint64_t control_seq;
	uint64_t used[2]; /* by kind - 1 */
	struct fake_segment *segments;
	uint32_t nr_segments, segments_cap;
	struct fake_channel *channels[TRNC_MAX_CONTEXTS + 1];
	_Atomic(uint32_t *) host_asleep[TRNC_MAX_CONTEXTS + 1]; /* 0: of the text */
};

struct fake {
	struct trn_pci *pci;
	int fd; /* of the aperture */
	uint8_t *aperture;
	uint64_t size, quota, shared_offset, windows_offset, window_size;
	uint64_t features;

	/* registers */
	uint64_t nonce;
	uint8_t luid[16], uuid[16];
	_Atomic uint32_t status, generation, probe_len;
	_Atomic uint32_t driver_version;
	_Atomic uint64_t driver_features;

	/* the control thread */
	pthread_t thread;
	int wake; /* eventfd */
	_Atomic bool stop;
	_Atomic bool has_news;	    /* requests were added, or replies read */
	_Atomic uint32_t nr_resets; /* wanted; compared with resets_done */
	uint32_t resets_done;
	uint64_t requests; /* position up to which they were read */
	uint64_t replies;  /* position up to which they were written; put_lock */
	pthread_mutex_t put_lock;
	uint32_t nr_deferred;	    /* requests whose replies come later */
	uint64_t used[2];
	uint64_t last_session; /* its unique number */
	struct fake_session sessions[FAKE_SESSIONS + 1];
	struct fake_segment *shared;
	uint32_t nr_shared, shared_cap;

	/* what it does not do at once; set by commands (main.c) */
	_Atomic bool hold;	     /* commands are read and do not complete */
	_Atomic uint64_t to_lose;    /* sessions, by bit number - 1 */
	_Atomic uint64_t nr_traps, nr_fires, nr_commands, nr_doorbells;

	struct fault fault;
};

/* pci.c: the device of a core */
extern const struct trn_device_ops fake_ops;
void fake_reset(struct fake *f);
void fake_fire(struct fake *f, uint32_t vector);
/* Sets the session's bit for its vector and fires that. */
void fake_wake_session(struct fake *f, const struct fake_session *s);

/* control.c: the rings of requests and replies */
int fake_control_start(struct fake *f);
void fake_control_stop(struct fake *f);
void fake_control_kick(struct fake *f);
void fake_reply(struct fake *f, uint32_t session, const struct trnc_msg *request, const void *body, uint32_t len);
void fake_refuse(struct fake *f, uint32_t session, const struct trnc_msg *request, int error, const char *text);
/* A message that is no answer. */
void fake_tell_lost(struct fake *f, uint32_t session, const char *text);

/* session.c: what they ask for.  Calls of the control thread. */
void fake_handle(struct fake *f, const struct trnc_control_slot *slot);
void fake_session_end(struct fake *f, struct fake_session *s);
void fake_session_lose(struct fake *f, struct fake_session *s, enum trnc_lost reason);
void fake_sessions_end_all(struct fake *f);
/* Answers the SEGMENT_DESTROYs whose context has come so far. */
void fake_settle(struct fake *f);

/* channel.c */
int fake_channel_start(struct fake_channel *c);
void fake_channel_stop(struct fake_channel *c);
/* News that are no completion. */
void fake_channel_attention(struct fake_channel *c);
void fake_channel_lose(struct fake_channel *c, enum trnc_lost reason);
void fake_ring_doorbell(_Atomic uint32_t *host_asleep);

#endif
