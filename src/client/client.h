/* SPDX-License-Identifier: MIT */
/*
 * The client's side of a virtual compute device: connect, get memory, write records, wait.
 *
 * Knows the wire (include/tranche/wire/compute.h, docs/wire.md) and no OpenCL object: the OpenCL driver in src/opencl
 * stands on it.  Process mode speaks to the device process over its Unix socket, a guest to its driver through
 * /dev/accel/accelN; nothing on the way of a command is a system call unless the host sleeps.
 *
 * Errors are negative errnos: -ESHUTDOWN session or context lost (executor died, device gone, or this is a forked
 * child's copy); -ENOSPC quota; -ENOMEM memory of this process; -ENOBUFS too much pending; -EPROTO the device answered
 * nonsense.  err (last, optional) gets the sentence.
 *
 * Threads: every function may be called from any thread, except where an object is being destroyed.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/blob.h"
#include "tranche/error.h"
#include "tranche/wire/compute.h"

/* ------------------------------------------------------------- devices */

/* A place where a virtual device may be: the path of a socket, or of a guest's device. Nothing is connected yet. */
struct client_device;

/*
 * Finds devices: TRANCHE_DEVICE (paths, colon-separated) when set, even if empty, else Tranche's devices in /dev/accel, of
 * a virtual machine, then the sockets *.sock in $XDG_RUNTIME_DIR/tranche and /run/tranche.  In an executor
 * (TRANCHE_EXECUTOR set) there are none.
 * The array and the devices live as long as the process. Return: number, or -errno.
 */
int client_devices_find(struct client_device ***ret_devices);

/* Sessions that are made from now on share memory with others (client_mem_export()); so does TRANCHE_SHARING=1. */
void client_devices_allow_sharing(void);

const char *client_device_path(const struct client_device *d);

/*
 * A counted session of the device: the live one of this process if there is one, else a new connection (connect,
 * HELLO, SESSION_CREATE). After a loss or a fork the next call connects anew.
 */
struct client_session;
int client_session_get(struct client_device *d, struct client_session **ret, struct trn_error *err);
struct client_session *client_session_ref(struct client_session *s);
struct client_session *client_session_put(struct client_session *s); /* NULL; the last one closes the connection */

/* The probe blob of the device (TRNC_TAG_PLATFORM_INFO ...): connects if needed; stays valid for the process. */
int client_device_probe(struct client_device *d, const void **ret_blob, size_t *ret_len, struct trn_error *err);
/* Valid after client_device_probe() succeeded. Bytes. */
uint64_t client_device_quota(const struct client_device *d);
bool client_device_has_svm(const struct client_device *d); /* client_session_has_svm() of the first connection */
/* 16 bytes, of the device; all zero before the first connection. */
const uint8_t *client_device_uuid(const struct client_device *d);

bool client_session_is_coherent(const struct client_session *s);
/* The window stands at one address on both sides: pointers into it mean the same to kernels. */
bool client_session_has_svm(const struct client_session *s);
bool client_session_is_lost(const struct client_session *s);
/* used of the device's quota by everybody, as the device says now (a round trip) */
int client_session_memory(struct client_session *s, struct trnc_memory_reply *ret, struct trn_error *err);

/* ------------------------------------------------------------ contexts */

struct client_context;

/* Makes a channel and the host's context behind it. Holds a reference on the session. */
int client_context_create(struct client_session *s, struct client_context **ret, struct trn_error *err);
/* NULL accepted. Frees all memory, handles and events of the context; nobody may be inside. */
void client_context_destroy(struct client_context *c);
struct client_session *client_context_session(struct client_context *c);
/* Does p point into the session's window, in a piece of memory or not? */
bool client_context_has_address(const struct client_context *c, const void *p);
/* Lost, or a forked child's copy: nothing will complete any more. */
bool client_context_is_lost(const struct client_context *c);
/* All commands that were issued so far are complete. */
bool client_context_is_quiet(struct client_context *c);
/* This process is a forked child of the one that made the context: its threads are not here. */
bool client_context_is_forked(const struct client_context *c);

/* ------------------------------------------------------------- handles */

enum client_handle_kind { CLIENT_QUEUE, CLIENT_BUFFER, CLIENT_PROGRAM, CLIENT_KERNEL, CLIENT_MAP, CLIENT_IMAGE, CLIENT_SAMPLER,
			  CLIENT_NR_KINDS };

/* 0 when out of memory or over the limit. Free only after the destroy record was written. */
uint64_t client_handle_new(struct client_context *c, enum client_handle_kind kind);
void client_handle_free(struct client_context *c, enum client_handle_kind kind, uint64_t handle);

/*
 * Event slots. A new handle's slot does not show its generation until the host writes it: client_event_status() answers
 * 3 (queued) till then.  Freeing is allowed only when the event is complete, or its record was never written, or after
 * an EVENT_RELEASE record (user events); a slot freed is used again with the next generation.
 */
uint64_t client_event_new(struct client_context *c, struct trn_error *err); /* 0 on failure */
void client_event_free(struct client_context *c, uint64_t event);
/* 3 queued, 2 submitted, 1 running, 0 complete, < 0 cl error. Acquire order. When the context is lost: as it was. */
int32_t client_event_status(struct client_context *c, uint64_t event);
/* The slot; times are valid once the event is complete. */
const struct trnc_event_slot *client_event_slot(struct client_context *c, uint64_t event);
/* The clock of these times, which is the host's: for what the program does itself. */
uint64_t client_clock_ns(struct client_context *c);

/* -------------------------------------------------------------- memory */

struct client_segment; /* private */

struct client_mem {
	uint64_t offset; /* in the window: goes on the wire */
	uint64_t size;	 /* bytes asked for */
	void *ptr;	 /* the same bytes here; zero-filled when new from the system, else undefined */
	struct client_segment *segment;
};

/*
 * Memory for a buffer, charged to the quota. From 16 MiB an exact segment of its own, below that a piece of a shared
 * one. Aligned to 4096 from 4096 bytes on, else to 128.  Before it refuses it takes back what was freed and asks the device.
 * -ENOSPC: over the quota.
 */
int client_mem_alloc(struct client_context *c, uint64_t size, struct client_mem *ret, struct trn_error *err);

/* The program gets a pointer into it: children that it forks from then on have this memory, too; others are without. */
void client_mem_show(const struct client_mem *mem);

/*
 * Writes the BUFFER_DESTROY record of the handle (which is freed too) and gives its memory back once the host has let
 * go of it.  mem: NULL for a sub-buffer, else consumed.  Never waits for the host.
 */
void client_buffer_destroy(struct client_context *c, uint64_t buffer, struct client_mem *mem);

/*
 * Memory that several programs have, each in its own session of the same device; only in a virtual machine, and only in
 * sessions that were made after client_devices_allow_sharing().  What is exportable all such sessions can reach.
 * -EOPNOTSUPP: this session shares no memory.
 */
int client_mem_alloc_exportable(struct client_context *c, uint64_t size, struct client_mem *ret, struct trn_error *err);
/* A dma-buf of exportable memory, the caller's; it keeps the memory. Return: descriptor or -errno. */
int client_mem_export(const struct client_mem *mem, struct trn_error *err);
/* Memory behind a dma-buf that was exported from the same device; fd stays the caller's. */
int client_mem_import(struct client_context *c, int fd, struct client_mem *ret, struct trn_error *err);

/* Memory that never had a BUFFER_CREATE record. */
void client_mem_free(struct client_context *c, struct client_mem *mem);

/* Service memory for data that the host reads (snapshots of writes). Small and short-lived; -ENOSPC when the allowance is
 * used up. Freed by the caller when the host is done with it. */
int client_staging_alloc(struct client_context *c, uint64_t size, struct client_mem *ret, struct trn_error *err);
void client_staging_free(struct client_context *c, struct client_mem *mem);

/* ------------------------------------------------------------- records */

/* What the ring needs to know of a command queue. Fill handle, event and properties, then write QUEUE_CREATE. */
struct client_queue {
	uint64_t handle;
	uint64_t event;	    /* its slot */
	uint64_t properties; /* cl_command_queue_properties */
	_Atomic uint64_t issued; /* sequence number of the newest command; changed under the ring's lock */
	/* private: up to here all was seen to be complete; commands of other queues that are, at least */
	_Atomic uint64_t settled, others;
};

/*
 * Begins a record of len bytes (head included, a multiple of 8, at most TRNC_REC_MAX): takes the context's ring lock and
 * gives zeroed room in the ring with the head (type, len, control_seq) filled in.  The caller fills the rest at once
 * and ends it.  Waits, without the lock, while the ring is full.  -ESHUTDOWN, -EINVAL.
 */
int client_rec_begin(struct client_context *c, enum trnc_rec_type type, size_t len, void **ret);
/* Publishes the record, drops the lock, wakes the host if it sleeps. */
void client_rec_end(struct client_context *c);

/*
 * The same for a command: fills in queue, the queue's next seq, event, queued_ns and the wait list (nr_waits handles,
 * placed after body_len bytes, which counts struct trnc_cmd and the type's body); extra bytes of room follow the wait
 * list, 8-byte aligned, for arguments.  Also -ENOBUFS: too many pending.  *ret_seq: the seq given (optional).
 */
struct client_cmd {
	enum trnc_rec_type type;
	size_t body_len;
	struct client_queue *queue;
	uint64_t event; /* or 0 */
	const uint64_t *waits;
	uint32_t nr_waits;
	size_t extra;
};
int client_cmd_begin(struct client_context *c, const struct client_cmd *cmd, void **ret_rec, void **ret_extra,
		     uint64_t *ret_seq);

/*
 * Waits up to timeout_ns until the host has read what was written so far: then it has all memory, too, that was granted
 * before. Return: has it?
 */
bool client_wait_read(struct client_context *c, uint64_t timeout_ns);
/* Changes when the device grants a segment. */
uint64_t client_context_memory_seq(const struct client_context *c);

/* ------------------------------------------------------------- waiting */

/*
 * Waits until done(data) says so: spins a little, then sleeps on the channel's flag.  done is called often, without
 * locks.  Text that kernels printed is written out before it returns.  deadline_ns: base_clock_ns() time, or -1.
 * Return: 0 done; -ESHUTDOWN lost (within a second of the loss); -ETIMEDOUT.
 */
int client_wait(struct client_context *c, bool (*done)(void *data), void *data, int64_t deadline_ns);

/*
 * What is waited for, and what is known of when it can come at the earliest: the less often a sleeper is woken the less
 * it costs, in a virtual machine above all.
 */
struct client_condition {
	bool (*done)(void *data);
	/* NULL, or: not before the context has completed so many commands (client_queue_target()); 0: not known;
	 * UINT64_MAX: no command makes it true, only client_wake() or news of another kind. Called often, without locks. */
	uint64_t (*target)(void *data);
	void *data;
};
int client_wait_for(struct client_context *c, const struct client_condition *cond, int64_t deadline_ns);
/* The same without spinning, for helper threads: the processor is the program's. */
int client_wait_asleep(struct client_context *c, const struct client_condition *cond, int64_t deadline_ns);

/* Makes every client_wait() of the context look at its condition again. */
void client_wake(struct client_context *c);

/* Every command of the queue up to seq is complete. */
bool client_queue_is_done(struct client_context *c, const struct client_queue *q, uint64_t seq);
int client_queue_wait(struct client_context *c, struct client_queue *q, uint64_t seq);
/* A target (struct client_condition) for it. */
uint64_t client_queue_target(const struct client_queue *q, uint64_t seq);
/* Who sleeps has a target, before which it is not woken: a condition that can be true sooner needs a client_wake(). */
bool client_context_has_targets(const struct client_context *c);
/* The queue's sticky error: 0 or a cl error. */
int32_t client_queue_error(struct client_context *c, const struct client_queue *q);

/*
 * Waits until the event's status is <= level (0: complete or failed; 1: running or beyond). *ret_status as
 * client_event_status().  q, seq: the command that completes it, of an in-order queue; or NULL, 0: not known.
 */
int client_event_wait(struct client_context *c, uint64_t event, int32_t level, struct client_queue *q, uint64_t seq,
		      int32_t *ret_status);

/* ------------------------------------------------------------ programs */

/*
 * PROGRAM_BUILD: hands over the request blob, waits for the end of the build (other threads go on), returns the reply blob
 * in malloc'ed memory that the caller frees.  Fetches a long reply by a query of its own accord.
 */
int client_program_build(struct client_context *c, uint64_t program, const struct base_blob *request, void **ret_reply,
			 size_t *ret_len, struct trn_error *err);
int client_program_query(struct client_context *c, uint64_t program, enum trnc_query what, void **ret_reply,
			 size_t *ret_len, struct trn_error *err);

/*
 * Adds to a build request its options (NULL: none) and, where the host has not the same files, those of this machine that its
 * texts may include (TRNC_TAG_FILE).
 */
struct client_text_piece {
	const char *text;
	size_t len;
};
void client_program_add_options(const struct client_context *c, struct base_blob *request,
				const struct client_text_piece *texts, size_t nr, const char *options);

/* ------------------------------------------------------------ output */

/* A program of this context may print: makes the session's output ring and the thread that writes it to stdout. Idempotent. */
int client_output_enable(struct client_context *c, struct trn_error *err);

#endif
