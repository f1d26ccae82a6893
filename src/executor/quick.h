/* SPDX-License-Identifier: MIT */
/*
 * Short launches without workers.  PoCL has two devices for one CPU: its usual one, whose threads must be woken for each
 * command (45 us), and one that runs kernels on the calling thread (0.5 us), here called the quick one.  A launch whose
 * predecessors are all complete and that is believed to be short (route.h) runs on the quick one, in the ring's thread,
 * and its completion is published at once.  Small transfers are copied there, too.
 *
 * The program never learns of it: all its answers come from the main device.  The quick device has a context of its own,
 * with objects over the same bytes, that are made when they are first needed; nothing runs there that waits.
 *
 *   launch --> look: known route? --no--> main device, measured
 *                    believed short? --no--> main device, measured now and then
 *                    compiled for quick? --no--> main device; builders are told (quick_program.c)
 *                    all before it complete? --no--> main device, or its turn is waited for (a stream)
 *                    --> runs here (quick_run.c); when it took long, the belief ends
 */
#ifndef EXECUTOR_QUICK_H
#define EXECUTOR_QUICK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "executor/context.h"
#include "executor/pocl.h"
#include "executor/route.h"

struct exec_command;
struct exec_dispatch;
struct exec_kernel_table;
struct exec_queue;

/* So many launches in a row that are believed to be short make a stream: the next ones wait for their turn here. */
#define EXEC_STREAM 32u

/* Of a context. */
struct exec_quick {
	/* made by the first builder, under programs_lock */
	cl_context host;
	cl_command_queue queue;

	/* ring's thread */
	struct exec_pocl_limits limits;
	uint64_t nr_runs;
	uint64_t signalled_ns; /* when a sleeping program was last looked for */
	bool unsignalled;      /* commands have ended since */
	long nr_preempted;     /* of the ring's thread, as last looked at */

	struct base_list measures; /* of exec_measure; under the context's lock */
	_Atomic bool has_measures; /* for a look without the lock */
};

/* NULL: the host has no quick device, or it cannot be used. */
struct exec_quick *exec_quick_new(struct exec_context *c);
/* The ring's thread has ended, nothing runs, no builder works. Accepts NULL. */
void exec_quick_free(struct exec_context *c, struct exec_quick *quick);

/* For buffers of kernels that are believed to be short: not NULL by then. */
cl_context exec_quick_context(const struct exec_context *c);

/* ---- programs and functions (quick_program.c) ---- */

/* Of a kernel table: its program for the quick device. */
struct exec_quick_program;

/* Keeps a build request; nothing is built yet. NULL: no memory, no quick device, not from source, or kernels that may wait for
 * others (waits.h). Builder's thread. */
struct exec_quick_program *exec_quick_program_new(struct exec_context *c, const void *request, size_t len);
/* Accepts NULL. Any thread. */
void exec_quick_program_free(struct exec_quick_program *p);

/* A compiled function of a kernel, for one local size. */
struct exec_quick_function {
	_Atomic int state; /* enum exec_quick_state */
	bool has_run;	   /* the first run loads it */
	uint64_t local[3];
	char name[]; /* in the program's folder */
};
enum exec_quick_state { EXEC_QUICK_NONE, EXEC_QUICK_BUSY, EXEC_QUICK_READY, EXEC_QUICK_FAILED };

/* The function for a route that is believed to be short, when it is ready. Else NULL, and it is seen to it that it will
 * be, if it can. Ring's thread. */
struct exec_quick_function *exec_quick_function_get(struct exec_context *c, struct exec_kernel_table *t,
						    uint32_t kernel, struct exec_route *route);

/* The kernel's object on the quick device. Return: cl error. */
int32_t exec_quick_kernel_create(struct exec_context *c, const struct exec_kernel_table *t, uint32_t kernel,
				 cl_kernel *ret);

/* ---- running (quick_run.c), ring's thread ---- */

/* What is known of a launch. */
struct exec_quick_look {
	bool done;		  /* looked already */
	struct exec_route *route; /* NULL: nothing, and it is not measured */
	uint64_t values;
	struct exec_quick_function *function; /* believed to be short, and ready; else NULL */
	bool is_short;
};

/* Fills in d->look, once. */
void exec_quick_look(struct exec_context *c, struct exec_dispatch *d);

/* Runs the command here, to its end, if it is one of those. */
bool exec_quick_run(struct exec_context *c, struct exec_dispatch *d);

/* Should a launch that could run here, but for what is outstanding, wait for that? */
bool exec_quick_should_wait(struct exec_context *c, struct exec_dispatch *d);

/* The command goes to the main device. Return: its measure, if it is worth one: then it needs an event. */
struct exec_measure *exec_quick_measure(struct exec_context *c, struct exec_dispatch *d, bool may_measure);

/* Tells a sleeping program of all that has ended here. */
void exec_quick_settle(struct exec_context *c);

/* ---- measuring ---- */

/* A launch on the main device whose time will be known. */
struct exec_measure {
	struct base_list link;
	struct exec_kernel_table *table; /* one reference */
	struct exec_route *route;	 /* if it still has this serial */
	uint64_t serial, values, ns;
	uint32_t turn; /* of the gate, when it went to the host */
};
#define EXEC_MEASURE_NONE (UINT64_MAX - 1) /* ns: others had the host meanwhile, or we were stopped */

/* Reads the time of a launch that is over. Any thread, no lock held. */
void exec_quick_read_time(struct exec_context *c, struct exec_measure *m, cl_event ev);
/* Hands it to the ring's thread. */
void exec_quick_measured_locked(struct exec_context *c, struct exec_measure *m);
/* One that will not be known. Accepts NULL. */
void exec_measure_free(struct exec_measure *m);

#endif
