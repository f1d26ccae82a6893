/* SPDX-License-Identifier: MIT */
/*
 * What the clEnqueue* files share: wait lists, command records, events, the two worker threads, and copies between the
 * program's memory and buffers.
 *
 * Two ways for a command.  A record in the ring is done by the host, in the queue's order.  What only moves bytes between
 * the program's memory and a buffer is done by the client: at once when everything before it is complete, else as a
 * CLIENT record, whose turn the host announces and whose end the client reports.
 */
#ifndef OPENCL_COMMANDS_H
#define OPENCL_COMMANDS_H

#include "opencl/objects.h"

/* ----------------------------------------------------------- wait lists */

#define WAIT_LIST_INLINE 16

/* The events of a wait list that are not known to be complete. */
struct wait_list {
	uint64_t *handles; /* inline_handles, or malloc'ed */
	uint32_t nr;
	uint64_t inline_handles[WAIT_LIST_INLINE];
};

/* Checks and collects. CL_INVALID_EVENT_WAIT_LIST, CL_INVALID_CONTEXT, CL_OUT_OF_HOST_MEMORY; nothing to finish then. */
cl_int wait_list_init(struct wait_list *w, cl_context ctx, cl_uint nr, const cl_event *events);
void wait_list_finish(struct wait_list *w);
/* For launches, whose lists the host's driver does not check: no count is no list, NULL events are left out, and so are
 * those of other contexts that are complete. */
cl_int wait_list_init_lenient(struct wait_list *w, cl_context ctx, cl_uint nr, const cl_event *events);
/* Its errors alone, for calls that look at the list before they look at the rest; and the first of them. */
cl_int wait_list_check(cl_context ctx, cl_uint nr, const cl_event *events);
cl_int wait_list_check_count(cl_uint nr, const cl_event *events);

/* --------------------------------------------------------------- events */

/* A new event with a slot (one reference), or NULL. Takes references on queue (may be NULL) and context. */
cl_event event_new(cl_context ctx, cl_command_queue queue, cl_command_type type);
/*
 * A user event is this process's alone until a command waits for it: only then the host is told of it.  event_announce()
 * does so, for any event, before the record that names it; CL_OUT_OF_HOST_MEMORY.  Where it fails, and in a lost context,
 * the handle stays 0.
 */
cl_event event_new_user(cl_context ctx);
cl_int event_announce(cl_event e);
/* CL_INVALID_OPERATION: it was set before. */
cl_int event_set_user(cl_event e, cl_int status);
/* An event of something that the client has just done: asked for at queued_ns, begun at start_ns. */
cl_event event_new_complete(cl_command_queue queue, cl_command_type type, uint64_t queued_ns, uint64_t start_ns);
/* Of an event that no record names, or that is complete. */
void event_free(cl_event e);
/* Takes an event's slot back when its command ends; for events whose last reference is gone. */
void event_bury(cl_event e);
/* At the context's end: frees the buried ones. */
void context_zombies_finish(cl_context ctx);

/* ------------------------------------------------------------- commands */

/*
 * One call of clEnqueue*: from the checks to the record.  For a queue that only records, the first function that would do
 * something of the command returns that the command is good, as if it were an error (command_buffer.h).
 */
struct command {
	cl_command_queue queue;
	cl_command_type type;
	struct wait_list waits;
	cl_event event;	     /* counted by this struct until command_end(); NULL when nobody wants one */
	cl_event *ret_event; /* the program's wish; may be NULL */
	uint64_t queued_ns, start_ns; /* of what the client does at once, for its event */
};

/* Checks the wait list. The queue was checked. On an error nothing is to be finished. */
cl_int command_init(struct command *c, cl_command_queue queue, cl_command_type type, cl_uint nr_waits,
		    const cl_event *waits, cl_event *ret_event);
/* Frees what is left, after command_end() or instead of it. Returns code. */
cl_int command_finish(struct command *c, cl_int code);

/* Makes the event even if the program did not ask for one. */
cl_int command_need_event(struct command *c);

/* Writes the record: begin gives zeroed room with the head filled in, end publishes. */
cl_int command_begin(struct command *c, enum trnc_rec_type type, size_t body_len, size_t extra, void **ret_rec,
		     void **ret_extra);
void command_end(struct command *c);

/* A command without body: MARKER, BARRIER, CLIENT. */
cl_int command_write_bare(struct command *c, enum trnc_rec_type type);

/* The newest barrier of an out-of-order queue, counted; NULL when there is none. */
cl_event command_get_barrier(cl_command_queue q);
/* Are all commands complete that must come before this one? */
bool command_is_ready(const struct command *c);
/* Waits for them, then notes the time. CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, CL_OUT_OF_RESOURCES (lost). */
cl_int command_wait_ready(struct command *c);
/* Done by the client at once: gives the program its event. */
cl_int command_complete(struct command *c);
/* Gives the program its event, or drops it. After command_end(). */
void command_hand_out(struct command *c);

/* One of the commands that c is made of, the next: it takes c's wait list over. *ret_event: its event, counted for the
 * caller, who keeps it until the record that waits for it is written. command_finish() for the step, too. */
void command_step_init(struct command *step, struct command *c, cl_event *ret_event);
/* What is left of c waits for this event alone. */
void command_wait_only_for(struct command *c, cl_event event);

/* -------------------------------------------------------------- workers */

/*
 * A thread that waits for events and runs what hangs on them, with all signals blocked.  It makes no wake-up while
 * nothing hangs.  The context owns two: callbacks (the program's code) and copies (ours, never delayed by a callback); a
 * queue has one for native kernels.
 */
struct worker_item {
	struct base_list node;
	cl_event event; /* counted; dropped by the worker after run */
	cl_int level;	/* run when event_status() <= level */
	/* Called once without locks, in the worker's thread; frees the item. */
	void (*run)(struct worker_item *item, cl_int status);
};

/* Hands the item over; the worker in *slot (a field of the context or a queue) is made at first use. 0 or a cl error. */
cl_int worker_add(cl_context ctx, struct worker **slot, const char *name, struct worker_item *item);
/* At the end of the worker's owner, whom the event of every item holds, so that none is left. NULL accepted; may be called
 * from the worker's own thread. Not in a forked child, which has no threads. */
void worker_end(struct worker *w);

/*
 * A command that this process does when its turn in the queue has come: a CLIENT record, and the item is handed to the
 * worker.  item->run gets CL_RUNNING or less: do it and report by client_command_end(); a negative status: its turn never
 * comes, or there is no thread, and it is not to be done.  On an error nothing was enqueued, and the item is the caller's.
 */
cl_int client_command_enqueue(struct command *c, struct worker **slot, const char *name, struct worker_item *item);
void client_command_end(cl_event event, cl_int status, uint64_t start_ns);

/* ------------------------------------------------------------ transfers */

/* Bytes between a buffer and the program's memory: up to three dimensions; a plain range is one row. */
struct transfer {
	uint8_t *buffer; /* the buffer's first byte of the box */
	uint8_t *host;	 /* the program's */
	size_t region[3];
	size_t buffer_row, buffer_slice, host_row, host_slice; /* pitches in bytes */
	bool to_host;
	bool ends_hold; /* host to buffer: shadow_let_go() once the program's bytes are read */
	void *owned;	/* malloc'ed; freed once it is done, if transfer_enqueue() succeeds */
};
void transfer_copy(const struct transfer *t);
size_t transfer_size(const struct transfer *t);

/* Does the transfer as the command: at once, staged, by record or by the copy thread; blocking or not. Ends the command. */
cl_int transfer_enqueue(struct command *c, cl_mem mem, size_t offset, const struct transfer *t, bool blocking);

/* A host that does not use buffers in place must be asked to show and to take over bytes: writes MAP / UNMAP records. */
cl_int host_map(struct command *c, cl_mem mem, size_t offset, size_t size, cl_map_flags flags, uint64_t map);
cl_int host_unmap(struct command *c, cl_mem mem, uint64_t map);

/* A box in a buffer: pitches of 0 become tight, everything is checked against overflow and the buffer's size.
 * CL_INVALID_VALUE. *ret_offset: of the box's first byte. */
cl_int rect_check(const size_t origin[3], const size_t region[3], size_t *row, size_t *slice, size_t size,
		  size_t *ret_offset);
/* Do two boxes in one buffer share a byte? Same pitches. */
bool rect_overlaps(const size_t a[3], const size_t b[3], const size_t region[3], size_t row, size_t slice);

/* -------------------------------------------------------------- shadows */

/* The object, or the buffer that it is a part of, has a shadow. */
bool mem_is_shadow(cl_mem mem);
/* Notes that the queue's newest command may write the buffer; nothing for buffers without a shadow. */
void shadow_mark(cl_mem mem, cl_command_queue queue);
void shadow_mark_args(cl_kernel kernel, cl_command_queue queue);
/*
 * While the program may write the memory that it has mapped, and until those bytes are back in the buffer, nothing is
 * copied out over them.  mem: the buffer or a sub-buffer; nothing for those without a shadow.  Not with context->lock.
 */
void shadow_hold(cl_mem mem);
void shadow_let_go(cl_mem mem);
/* After commands ended: the program's memory gets what was written (all dirty shadows of the context). */
void shadow_sync(cl_context ctx);
void shadow_copy_out(cl_mem mem, size_t offset, size_t size);
void shadow_copy_in(cl_mem mem, size_t offset, size_t size);

/* --------------------------------------------------------------- checks */

/* CL_INVALID_MEM_OBJECT, CL_INVALID_CONTEXT: a buffer, an image, or either is wanted. */
cl_int mem_check(cl_mem mem, cl_command_queue queue);
cl_int mem_check_image(cl_mem mem, cl_command_queue queue);
cl_int mem_check_any(cl_mem mem, cl_command_queue queue);
/* The host's driver reads and writes images as if they were buffers; so does ours, where there are such bytes. */
cl_int mem_check_bytes(cl_mem mem, cl_command_queue queue);
/* CL_INVALID_VALUE unless [offset, offset + size) is a part of the buffer, be it an empty one */
cl_int mem_check_range(cl_mem mem, size_t offset, size_t size);

#endif
