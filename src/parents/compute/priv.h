/* SPDX-License-Identifier: MIT */
/*
 * Inside of the compute parent.  What owns what:
 *
 *   device -> sessions -> segments, contexts, requests in flight
 *   device -> executors: each belongs to one session, and outlives it until its process is reaped; the spare one to none
 *
 * A session that ends stays in the list, in state ENDING, until its executor is gone and its memory is given back or
 * handed to the device's list of held memory.  It is freed by the loop (device->gc), never by its own calls.
 */
#ifndef PARENTS_COMPUTE_PRIV_H
#define PARENTS_COMPUTE_PRIV_H

#include "base/list.h"
#include "base/peer.h"
#include "parents/compute/compute.h"
#include "parents/compute/forker.h"
#include "parents/compute/link.h"
#include "parents/compute/worker.h"
#include "tranche/wire/compute_pci.h"
#include "tranche/wire/executor.h"

/* --- device.c --- */

/* What the first executor said before any guest code ran; later ones are not asked. */
struct compute_probe {
	int fd; /* -1: not known yet; sealed, ours */
	uint64_t len;
	uint64_t flags; /* TRNC_SESSION_*; SVM: a window stood where its client wanted it */
};

/* compute_device_set() under way. */
struct compute_change {
	struct trn_resources had, want;
	void (*done)(void *data, const struct trn_error *err); /* NULL: none is */
	void *data;
};

struct compute_face;
struct compute_slot;
struct compute_shared;

struct compute_device {
	struct trn_device *dev;
	struct compute_face *face; /* for a guest; NULL: for programs of this machine */
	const struct compute_config *config;
	struct compute_worker *worker;
	struct compute_forker forker;
	unsigned int nr_jobs; /* with the worker */
	struct base_list sessions;
	struct base_list executors;
	struct compute_executor *spare; /* one of them, which waits for a session; NULL: none */
	sd_event_source *spare_pause;	/* until the next one is made */
	bool takes_no_more;		/* sessions */
	bool takes_all;			/* the quota is what the host's device has */
	uint64_t host_size;		/* bytes of memory of the host's device; 0: not known yet */
	struct compute_change change;
	sd_event_source *behind;	/* measures executors, while there are any */
	struct base_list held; /* struct compute_segment without a session: somebody still has the memory */
	struct compute_probe probe;
	uint64_t service_used;
	uint64_t leaving; /* of stats.used: bytes on their way back, of all sessions and of those that have ended */
	uint64_t last_session;
	uint64_t last_executor;
	bool is_stopping;
	bool was_idle;
	uint64_t started_ns;
	sd_event_source *gc;
	sd_event_source *tick;
	struct compute_stats stats; /* quota and used are here, too */
};

int compute_device_create(struct trn_device *dev, struct trn_error *err);
void compute_device_destroy(struct trn_device *dev);

int compute_device_create_for_guest(struct trn_device *dev, struct trn_error *err);
struct compute_device *to_compute(const struct trn_device *dev);

/* As bytes. */
void compute_device_uuid(const struct compute_device *d, uint8_t ret[16]);

/* Bytes of a session's window. */
uint64_t compute_window_size(const struct compute_device *d);
/* Looks soon at what may have ended. */
void compute_device_schedule_gc(struct compute_device *d);
/* Looks from time to time at what waits: held memory, requests for memory. Stops by itself. */
void compute_device_start_tick(struct compute_device *d);
/* A job for the worker; the device is not idle before its done() has called compute_device_job_done(). */
void compute_device_add_job(struct compute_device *d, struct compute_job *job);
void compute_device_job_done(struct compute_device *d);

/* --- face.c: a device for a guest (face.h) --- */

extern const struct trn_device_ops compute_face_ops;
/* Makes d->face, and the PCI device. Also after a failure: destroy. Return: 0 or -errno. */
int compute_face_create(struct compute_device *d, struct trn_error *err);
void compute_face_destroy(struct compute_device *d);
/* The host device's record is known: the guest can read it. Return: 0 or -errno. */
int compute_face_learn_probe(struct compute_face *f, const void *data, uint64_t len, struct trn_error *err);
/* The device's quota may have changed, or the room that was made for another one. */
void compute_face_quota_changed(struct compute_face *f);
/* Lets that much be touched. Return: 0 or -errno. */
int compute_face_make_room(struct compute_face *f, uint64_t quota, struct trn_error *err);
void compute_face_get_stats(const struct compute_face *f, struct compute_stats *stats);
/* face_shared.c: a session's segment over the range is gone. */
void compute_shared_detached(struct compute_shared *range);
/* face_slots.c: what SETUP says more of a guest's session. Return: how many descriptors go along. */
size_t compute_slot_fill_setup(const struct compute_slot *slot, struct trnc_exec_setup *setup, int fds[2]);
/* Gives a segment of a guest's session memory. Return: 0 or -errno. */
int compute_slot_grant(const struct compute_slot *slot, const struct trnc_segment_create *c);
/* Takes it back; not for the loop if it is big. */
void compute_slot_take_back(const struct compute_slot *slot, uint64_t offset, uint64_t size);
/* A context's channel, for as long as the session lasts. */
void *compute_slot_channel(const struct compute_slot *slot, uint64_t offset);
/* Its host sleeper can be woken, or no more; channel: NULL: no more. */
void compute_slot_set_bell(const struct compute_slot *slot, uint32_t context, struct trnc_user_page *user);
void compute_slot_set_output(const struct compute_slot *slot, uint64_t offset);
/* Wakes the guest's kernel, whatever it sleeps for. */
void compute_slot_wake(const struct compute_slot *slot);

/* --- adjust.c --- */

/* What tranche-parent is told: bytes (0: nothing is counted), thousandths. */
uint64_t compute_device_memory(const struct compute_device *d);
uint32_t compute_device_time(const struct compute_device *d);
/* tranche-parent has answered; err: NULL: it agrees. */
void compute_change_answered(struct compute_device *d, const struct trn_error *err);

/* --- behind.c --- */

/* An executor has got a session: what it takes beside buffers is looked at from now on. */
void compute_behind_start(struct compute_device *d);

/* --- probe.c --- */

/* Takes over an executor's record: a private copy, and the quota if none was chosen. Return: 0 or -errno. */
int compute_probe_learn(struct compute_device *d, int fd, const struct trnc_exec_ready *ready, struct trn_error *err);

/* --- executor.c --- */

struct compute_executor {
	struct base_list node;
	struct compute_device *device;
	struct compute_session *session; /* NULL: nobody waits for it any more */
	struct compute_link link;
	pid_t pid; /* 0: reaped, or there was never a process */
	int pidfd;
	uint64_t start_id; /* tranche-parent was asked for it and has not said yet what became of that; else 0 */
	bool is_unasked;   /* ... and it was not even asked yet: it is away for a moment */
	int theirs;	   /* meanwhile: its end of the link, for a process that is started after all; else -1 */
	uint64_t shared_id; /* it is the child of a tranche-parent that devices share, and known there by this; else 0 */
	sd_event_source *exit;
	sd_event_source *grace; /* runs out when the socket ended and the process did not */
	bool is_ready; /* SETUP is answered */
	bool is_killed;
	bool is_gone;
	bool has_folder;
	char folder[]; /* below the runtime folder: caches and temporary files */
};

/* Makes one that has no session. Return: 0 or -errno. */
int compute_executor_create(struct compute_device *d, struct compute_executor **ret, struct trn_error *err);
/* TRNC_EXEC_FLAG_* for all executors. */
uint32_t compute_executor_flags(const struct compute_device *d);
/* Starts the executor of a session; its events are told to the session (below). Return: 0 or -errno. */
int compute_executor_start(struct compute_session *s, struct trn_error *err);
/* Ends its process group. NULL is accepted. Its link is closed; it is reaped and freed later. */
void compute_executor_kill(struct compute_executor *ex);
/* Of its forker: there is a process, its pidfd is handed over. */
void compute_executor_forked(struct compute_executor *ex, pid_t pid, int pidfd);
/* Of its forker: there is none, for that reason. */
void compute_executor_not_forked(struct compute_executor *ex, int reason);
/* Of its forker, for a child of a shared tranche-parent: it has ended and was reaped. */
void compute_executor_reaped(struct compute_executor *ex, const struct trnc_parent_ended *how);
/* Likewise: that tranche-parent is gone, nobody will tell of its end. */
void compute_executor_orphaned(struct compute_executor *ex);
/* Of its forker: asks for it now. Return: 0 or -errno. */
int compute_executor_ask(struct compute_executor *ex);
/* Ends all of them, without the loop. */
void compute_executor_end_all(struct compute_device *d);
/* Frees what is gone. From the gc. */
void compute_executor_collect(struct compute_device *d);

/* --- spare.c --- */

/* Makes a spare executor, unless there is one or the device keeps none. */
void compute_spare_start(struct compute_device *d);
/* The spare, for a session; the next one is made in a while. NULL: there is none. */
struct compute_executor *compute_spare_take(struct compute_device *d);
/* Ends it; no other is made by itself. */
void compute_spare_drop(struct compute_device *d);

/* --- strays.c --- */

/* Kills processes that dead executors left behind: our children that are nobody we know. Nothing is done while the forker
 * has yet to name some (it calls again), or in a process that is no reaper (PR_SET_CHILD_SUBREAPER). */
void compute_strays_kill(struct compute_device *d);

/* --- segments.c --- */

enum compute_segment_state {
	SEGMENT_LIVE,
	SEGMENT_UNMAPPING, /* the executor was asked to let go */
	SEGMENT_HELD,	   /* it has, but somebody still has the memory */
	SEGMENT_CLOSING,   /* with the worker */
};

struct compute_segment {
	struct compute_job job; /* closes it */
	struct base_list node;	/* in session->held or device->held, in state HELD */
	struct compute_device *device;
	struct compute_session *session; /* NULL: it has ended */
	uint64_t offset, size;
	uint32_t kind;
	enum compute_segment_state state;
	unsigned int pins; /* contexts with their channel in it */
	int fd;		   /* see memory.h; -1: of a guest, or none */
	const struct compute_slot *slot; /* of a guest's session, whose window it is part of; else NULL */
	struct compute_shared *shared;	 /* it is that range of the shared window; else NULL */
	uint64_t destroy_id; /* the request that is to be answered; 0: none */
};

struct compute_segments {
	struct compute_segment **sorted; /* by offset; owned */
	size_t nr, cap;
	struct base_list held;	  /* segments */
	struct base_list waiting; /* requests for memory */
	unsigned int nr_waiting;
	uint64_t used[2];    /* bytes charged, by kind - 1 */
	uint64_t leaving[2]; /* of these, on their way back */
};

void compute_segments_init(struct compute_segments *t);
void compute_segment_handle_create(struct compute_session *s, const struct trnc_msg *m, const void *body);
void compute_segment_handle_destroy(struct compute_session *s, const struct trnc_msg *m, const void *body);
/* Lets a session of a guest use a range of the shared window, and answers. Return: 0, or -errno and nothing was answered. */
int compute_segment_attach(struct compute_session *s, const struct trnc_msg *m, uint64_t offset, uint64_t size,
			   struct compute_shared *shared, struct trn_error *err);
/* The executor let go. */
void compute_segment_unmapped(struct compute_segment *seg);
/* The live segment of that kind that holds the range, or NULL. */
struct compute_segment *compute_segment_find(struct compute_session *s, uint32_t kind, uint64_t offset, uint64_t len);
/* From here on all that the session has is on its way back: others wait for it a while. */
void compute_segments_leave(struct compute_session *s);
/* Gives everything back; what somebody still has goes to the device. The executor is gone, compute_segments_leave() was called. */
void compute_segments_end(struct compute_session *s);
/* Answers all requests that nobody else answers: those for memory, and frees that the executor has done its part of. */
void compute_segments_refuse_waiting(struct compute_session *s, const struct trn_error *err);
/* Looks again at held memory and waiting requests. Return: is there still something to look at? */
bool compute_segments_tick(struct compute_device *d);
/* Frees held memory that the device no longer has time for. */
void compute_segments_drop_held(struct compute_device *d);

/* --- pending.c: requests that the executor has to answer --- */

#define COMPUTE_PENDING_BUCKETS 256u
#define COMPUTE_PENDING_MAX 1024u /* a session, those of SEGMENT_DESTROY not counted */

struct compute_pending {
	struct base_list node;
	uint64_t id;
	uint32_t type; /* of the client's request */
	uint32_t context;
	struct compute_segment *segment; /* of a SEGMENT_DESTROY, or DETACH */
	uint64_t offset;		 /* of an OUTPUT_SET */
};

struct compute_pendings {
	struct base_list buckets[COMPUTE_PENDING_BUCKETS];
	unsigned int nr; /* as counted by the limit */
};

void compute_pendings_init(struct compute_pendings *p);
/* Return: 0, -EEXIST (id in use), -EBUSY (too many), -ENOMEM. */
int compute_pendings_add(struct compute_pendings *p, const struct compute_pending *what);
/* Takes one out; the caller frees it. @exec_type: of the executor's message. NULL when there is none. */
struct compute_pending *compute_pendings_take(struct compute_pendings *p, uint64_t id);
/* Takes out any. */
struct compute_pending *compute_pendings_take_any(struct compute_pendings *p);

/* --- contexts.c --- */

enum compute_context_state { CONTEXT_CREATING, CONTEXT_LIVE, CONTEXT_DESTROYING };

struct compute_context {
	enum compute_context_state state;
	struct compute_segment *segment; /* pinned; holds the channel */
	struct trnc_user_page *user;	 /* the channel's first two pages */
	struct trnc_host_page *host;
	struct trnc_kernel_page *kernel; /* of a guest's session; else NULL */
};

void compute_context_handle_create(struct compute_session *s, const struct trnc_msg *m, const void *body);
void compute_context_handle_destroy(struct compute_session *s, const struct trnc_msg *m, const void *body);
/* The executor answered a CREATE or DESTROY. */
void compute_context_answered(struct compute_session *s, const struct compute_pending *p, bool is_refused);
/* Of contexts that are there; those of others are in the device's statistics. */
uint64_t compute_contexts_count_commands(const struct compute_session *s);
/* Tells all sleepers that nothing more completes. */
void compute_contexts_lose(struct compute_session *s, enum trnc_lost why);
void compute_contexts_end(struct compute_session *s);
/* Is it one whose records may come? */
bool compute_context_is_live(const struct compute_session *s, uint32_t number);

/* --- relay.c: messages that are checked and passed on --- */

void compute_relay_event_block(struct compute_session *s, const struct trnc_msg *m, const void *body);
void compute_relay_output(struct compute_session *s, const struct trnc_msg *m, const void *body);
void compute_relay_build(struct compute_session *s, const struct trnc_msg *m, const void *body);
void compute_relay_query(struct compute_session *s, const struct trnc_msg *m, const void *body);
/* Notes the request and sends it on; it is refused when that cannot be. Return: was it sent? */
bool compute_relay(struct compute_session *s, const struct trnc_msg *m, const void *body, size_t len,
		   uint32_t exec_type, const struct compute_pending *pending);
/* The executor's reply to one of these. Return: 0, or -EPROTO with what is wrong with it. */
int compute_relay_reply(struct compute_session *s, const struct trnc_msg *m, const void *body, struct trn_error *err);
/* Answers all that is open. */
void compute_relay_refuse_all(struct compute_session *s, const struct trn_error *err);

/* --- session.c --- */

enum compute_session_state {
	SESSION_NEW,
	SESSION_GREETED,
	SESSION_STARTING, /* SESSION_CREATE is to be answered */
	SESSION_UP,
	SESSION_ENDING,
};

/*
 * What a session needs of its client, who is at the other end of a socket (socket.c).
 * Nothing here calls back into the session.
 */
struct compute_client_ops {
	/* A reply, or another message for him; fd: -1, or what goes along, which stays the caller's. */
	void (*send)(struct compute_session *s, const void *packet, size_t len, int fd);
	/* He is not listened to for a while. */
	void (*pause)(struct compute_session *s, bool pause);
	/* The session is lost: the last that he hears of it.  Nothing that he says counts any more. */
	void (*farewell)(struct compute_session *s, const struct trn_error *err);
	/* The executor is gone. Must the memory wait all the same? Asked again from the gc. NULL: no. */
	bool (*keeps_memory)(struct compute_session *s);
	/* Has he let go, so that the session may be freed? Its memory is given back already. */
	bool (*is_gone)(const struct compute_session *s);
	/* It is freed next. NULL: nothing to do. */
	void (*forget)(struct compute_session *s);
};

/* A kind of message, and the only state in which it is right. */
struct compute_handler {
	size_t body_len;
	enum compute_session_state state;
	const char *name;
	void (*handle)(struct compute_session *s, const struct trnc_msg *m, const void *body);
};

/* What the client of a new session chose. */
struct compute_wish {
	bool has_svm;
	uint64_t window_base; /* with SVM */
	const char *cwd;
};

struct compute_session {
	struct base_list node;
	struct compute_device *device;
	const struct compute_client_ops *client;
	struct trn_use *use;
	uint64_t number;
	enum compute_session_state state;
	struct compute_link socket; /* of a client in process mode */
	struct compute_slot *slot;  /* of a guest's; else NULL */
	struct compute_executor *executor; /* NULL: none yet, or no more */
	uint64_t create_id; /* the request that made it ... */
	uint32_t create_type; /* ... and which kind it was */
	uint64_t control_seq; /* of the newest segment */
	uint64_t window_size; /* bytes, as the client was told: the device's may change */
	bool is_answered; /* the client was told that the session exists */
	bool wants_svm; /* TRNC_FEATURE_SVM was picked ... */
	bool has_svm;	/* ... and the window stands where the client has it, or is about to */
	struct compute_segments segments;
	struct compute_pendings pendings;
	struct compute_context *contexts[TRNC_MAX_CONTEXTS + 1]; /* by number, from 1 */
	char peer[BASE_PEER_TEXT]; /* "process 4711 (hashcat)" */
};

/* One in state NEW, which is in no list. NULL: no memory. Opposite: compute_session_free(), or compute_session_collect(). */
struct compute_session *compute_session_new(struct compute_device *d, const struct compute_client_ops *client);
void compute_session_free(struct compute_session *s);
/* It is one of the device's from now on: the gc frees it. */
void compute_session_add(struct compute_session *s);
/* Checks a message whose len is right, and handles it; own: kinds of this client's alone, which count first. */
void compute_session_dispatch(struct compute_session *s, const struct compute_handler *own, size_t nr_own,
			      const struct trnc_msg *m, const void *body);
/* Starts it: it answers m later. Return: 0, or -errno and nothing has happened. */
int compute_session_begin(struct compute_session *s, const struct trnc_msg *m, const struct compute_wish *wish,
			  struct trn_error *err);
/* From the gc. Return: true when it is freed. */
bool compute_session_collect(struct compute_session *s);
/* Ends it: contexts are lost for that reason, open requests get err, the client a SESSION_LOST. */
void compute_session_lose(struct compute_session *s, enum trnc_lost why, const struct trn_error *err);

/* Of its executor. */
void compute_session_executor_message(struct compute_session *s, const void *data, size_t len, int *fd);
void compute_session_executor_ended(struct compute_session *s, const struct trn_error *why);

/* --- socket.c: clients in process mode --- */

/* Takes over sock. */
void compute_socket_connect(struct compute_device *d, int sock);

/* --- reply.c --- */

void compute_reply(struct compute_session *s, uint32_t type, uint64_t id, const void *body, size_t len, int fd);
void compute_reply_error(struct compute_session *s, uint32_t type, uint64_t id, const struct trn_error *err);
/* For checks: "return refuse(...)". */
void compute_refuse(struct compute_session *s, const struct trnc_msg *m, int code, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* SESSION_LOST on any socket, also one that never became a session. */
void compute_make_farewell(const struct trn_error *err, void *packet);
#define COMPUTE_FAREWELL_LEN (sizeof(struct trnc_msg) + sizeof(struct trnc_error_body))
/* A refusal for anybody. */
void compute_make_refusal(uint32_t type, uint64_t id, const struct trn_error *err, void *packet);
#define COMPUTE_REFUSAL_LEN (sizeof(struct trnc_msg) + sizeof(struct trnc_error_body))

#endif
