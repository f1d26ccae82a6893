/* SPDX-License-Identifier: MIT */
/*
 * cl_khr_command_buffer: commands that are recorded once and enqueued many times.
 *
 * A recorded command is a call of clEnqueue* with its arguments kept: replaying makes the call again.  It is checked by that
 * very function, which is called with a queue that only records (struct recording); so a recorded command is refused
 * for the same reasons and in the same order as an enqueued one.
 */
#ifndef OPENCL_COMMAND_BUFFER_H
#define OPENCL_COMMAND_BUFFER_H

#include "opencl/objects.h"

#define IS_COMMAND_BUFFER(o) head_is((o), KIND_COMMAND_BUFFER)

/* What the first step of a good command comes to in a queue that only records: not an OpenCL code. */
#define RECORDING_IS_GOOD 1

/* The arguments of a call that are to be used again. Which fields mean what is the affair of the call's own file. */
struct recorded {
	cl_int (*replay)(const struct recorded *r, cl_command_queue queue, cl_uint nr_waits, const cl_event *waits,
			 cl_event *event);
	cl_mem mems[2];	  /* counted; NULL where there is none */
	cl_kernel kernel; /* counted, as the program's kernel is by every command that waits */
	cl_kernel clone;  /* owned: has the arguments of the time of recording */
	cl_uint dims;
	bool has_local;
	size_t boxes[3][3]; /* origins and region; offset, global and local size */
	size_t sizes[4];    /* pitches; offsets and size */
	size_t pattern_size;
	uint8_t pattern[128];

	/* the sync points that it waits for, 1 being the first command; owned */
	cl_sync_point_khr *waits;
	cl_uint nr_waits;
	bool is_waited_for; /* by a later command of the buffer */
};

struct _cl_command_buffer_khr {
	struct head head;
	cl_command_queue queue; /* counted */
	cl_command_buffer_properties_khr *properties; /* pairs, as given */
	size_t nr_properties; /* pairs */
	pthread_mutex_t lock; /* protects all below; not held during a replay: finalized commands do not change */
	bool is_finalized;
	struct recorded **commands;
	uint32_t nr_commands;
	cl_event *pending; /* of replays that may be under way; counted */
	uint32_t nr_pending;
	uint32_t nr_starting; /* replays that have no event yet; there is room for theirs */
};

/* One call of clCommand*: checked by the clEnqueue* function with &queue in the place of its queue. */
struct recording {
	cl_command_buffer_khr buffer;
	cl_uint nr_waits;
	const cl_sync_point_khr *waits;
	struct _cl_command_queue queue; /* on the stack: refers to the buffer's queue, counted by nobody */
};

/*
 * The checks that all clCommand* begin with: CL_INVALID_COMMAND_BUFFER_KHR, CL_INVALID_COMMAND_QUEUE (the extension has
 * one queue, which is not named), CL_INVALID_VALUE (a mutable handle).
 */
cl_int recording_init(struct recording *r, cl_command_buffer_khr buffer, cl_command_queue queue, cl_uint nr_waits,
		      const cl_sync_point_khr *waits, const cl_mutable_command_khr *mutable_handle);
/* For those steps (command.c, transfer.c): RECORDING_IS_GOOD or CL_INVALID_SYNC_POINT_WAIT_LIST_KHR. */
cl_int recording_check(const struct recording *r);
/* An origin, another one if the call has two (else NULL), and the region. */
void recorded_set_boxes(struct recorded *command, const size_t *origin, const size_t *other, const size_t *region);
/*
 * Adds the command if checked, what the clEnqueue* function gave, is RECORDING_IS_GOOD; else gives checked back.  command
 * is copied, its objects are counted here; clone is taken over in any case.  CL_INVALID_OPERATION: finalized.
 */
cl_int recording_end(struct recording *r, cl_int checked, const struct recorded *command, cl_sync_point_khr *ret_point);

/* After the last reference is gone. */
void command_buffer_destroy(cl_command_buffer_khr b);
/* Replays that are not complete. Forgets the others. */
uint32_t command_buffer_pending(cl_command_buffer_khr b);
/*
 * All its commands into the queue, then a marker, whose event tells of the whole.  CL_INVALID_OPERATION: not finalized,
 * or under way and not made for simultaneous use.
 */
cl_int command_buffer_replay(cl_command_buffer_khr b, cl_command_queue queue, cl_uint nr_waits, const cl_event *waits,
			     cl_event *event);

#endif
