/* SPDX-License-Identifier: MIT */
/*
 * A session: one connection of this process to a device, and what all its contexts share.
 *
 * Lock order: device->lock, session->reap_lock, session->output_lock, pool->lock, context->events_lock,
 * session->lock.  The lock of a context's ring stands alone.
 */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include <pthread.h>

#include "base/list.h"
#include "client/client.h"
#include "client/space.h"

struct client_accel;
struct client_accel_calls;
struct client_output;
struct client_transport;

struct client_device {
	const char *path;
	const struct client_transport *transport;
	const struct client_accel_calls *calls; /* a guest's driver's */
	pthread_mutex_t lock; /* made anew in a forked child */
	struct client_session *live; /* not counted: the session's last put clears it. Under lock */
	/* known after the first connection, then fixed for the process; under lock */
	void *probe;
	size_t probe_len;
	bool is_known;
	uint8_t uuid[16];
	uint64_t quota;
	bool has_svm;
};

/* What the device granted of one kind of memory, as it told last. */
struct client_account {
	uint64_t limit;
	uint64_t used;
};

struct client_session {
	struct client_device *device;
	struct base_list node;	  /* of all sessions of the process (fork.c) */
	unsigned int process;	  /* client_process() when it was made */
	unsigned int refs;	  /* under device->lock */
	const struct client_transport *transport; /* the device's */
	int fd;			  /* what the transport speaks through; -1 in a forked child */
	uint64_t features;	  /* TRNC_FEATURE_*, as picked */
	uint64_t flags;		  /* TRNC_SESSION_* */

	uint8_t *window;      /* reserved address range, or NULL: each segment lies anywhere */
	uint64_t window_size;
	_Atomic uint64_t control_seq; /* newest that a grant brought */
	_Atomic bool lost;
	bool has_dear_clock; /* reading it is a system call: nobody spins by it */
	bool is_up; /* the handshake is done: a loss is news to the program. Under lock */

	_Atomic uint64_t nr_freed;    /* pieces and segments that came back, ever: tells of progress */
	pthread_mutex_t reap_lock;    /* while a thread looks into other contexts: a context leaves under it */

	pthread_mutex_t output_lock; /* while the output ring is made */
	struct client_output *_Atomic output; /* NULL until a program may print */

	pthread_mutex_t lock; /* everything below */

	/* requests over a socket (rpc.c) */
	uint64_t last_id;
	struct base_list calls;	  /* struct client_call: threads that wait for a reply */
	struct base_list dying;	  /* struct client_segment: given back, no reply yet */
	bool is_receiving;	  /* a thread is in poll() or recv() for all */

	/* memory (segments.c) */
	unsigned int nr_dying;	  /* given back, and not known to be free again */
	uint64_t bytes_dying;
	struct client_space space; /* of the window; not used where the other side chooses */
	struct client_account accounts[2]; /* by kind - 1 */

	struct client_accel *accel; /* owned; what the transport through a guest's driver keeps; fixed */
	struct base_list contexts; /* struct client_context */
	uint64_t contexts_used;	   /* bit n: context id n + 1 */
	struct trn_error why_lost; /* fixed once lost is set */
};

/* devices.c: sessions that are made now share memory with others, where they can. */
bool client_devices_is_sharing(void);

/* ---------------------------------------------------------------- fork.c */

/* Changes when the process forks: what was made under another number belongs to the parent. */
extern _Atomic unsigned int client_process_number;

static inline unsigned int client_process(void)
{
	return atomic_load_explicit(&client_process_number, memory_order_relaxed);
}

/* Known to the fork handlers from register to unregister. */
int client_fork_watch_devices(struct client_device **devices, size_t nr);
void client_fork_register(struct client_session *s);
void client_fork_unregister(struct client_session *s);

/* ------------------------------------------------------------- session.c */

static inline bool client_session_is_foreign(const struct client_session *s)
{
	return s->process != client_process();
}

/* client_session_is_lost(), for the paths of every command. */
static inline bool client_session_is_gone(const struct client_session *s)
{
	return client_session_is_foreign(s) || atomic_load_explicit(&s->lost, memory_order_acquire);
}

/* Ends the session for everybody: wakes all who wait, says why on stderr once. why is copied. Not with s->lock held. */
void client_session_lose(struct client_session *s, const struct trn_error *why);
void client_session_lose_locked(struct client_session *s, const struct trn_error *why);
/* -ESHUTDOWN with the sentence of the loss. */
int client_session_refuse_lost(struct client_session *s, struct trn_error *err);

static inline struct client_account *client_session_account(struct client_session *s, enum trnc_segment_kind kind)
{
	return &s->accounts[kind - 1];
}

#endif
