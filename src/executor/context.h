/* SPDX-License-Identifier: MIT */
/*
 * A context of the session: one host context, one ring with its thread, tables of objects.
 *
 * Who touches what:
 *  - the ring's thread alone: buffers, images, samplers, kernels, queues, what is held, all enqueueing;
 *  - under lock: events, what is outstanding, the ready list (also by the host's threads, which report completions);
 *  - under programs_lock: programs and their builders.
 * The host's OpenCL is never called with lock held: it may call back.
 */
#ifndef EXECUTOR_CONTEXT_H
#define EXECUTOR_CONTEXT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/handles.h"
#include "base/list.h"
#include "executor/executor.h"
#include "executor/host.h"
#include "executor/wake.h"
#include "executor/window.h"

#define EXEC_MAX_SAMPLERS 20 /* settings: normalized or not, 5 addressing modes, 2 filters */

struct exec_event_block {
	struct exec_segment *segment; /* one use */
	_Atomic(struct trnc_event_slot *) slots; /* NULL: not there */
};

struct exec_context {
	struct executor *ex;
	uint32_t id;
	cl_context host;
	struct exec_quick *quick; /* NULL: all commands go to the host's workers */

	/* channel; constant */
	struct exec_segment *channel; /* one use */
	struct trnc_user_page *user;
	struct trnc_host_page *page;
	const uint8_t *ring;
	uint32_t ring_len;
	bool is_guest; /* the program's threads sleep in a guest's kernel */
	struct exec_sleeper sleeper; /* of that */
	pthread_t thread;

	_Atomic uint64_t consumer; /* what page->consumer says, where nobody else writes */
	_Atomic bool stopping;	   /* the context is being destroyed */
	_Atomic bool ended;	   /* the ring is read no more */

	/* ring's thread */
	struct base_handles buffers, images, samplers, kernels, queues;
	cl_sampler host_samplers[EXEC_MAX_SAMPLERS]; /* one for each setting that was asked for */
	struct base_list unsettled; /* of exec_queue.unsettled: were given commands since exec_graph_settle() */
	uint64_t room; /* so many more may become pending before that number must be looked at again */
	uint64_t buffers_gone; /* counts destroyed buffers and images: kernels look at their arguments again */
	cl_event *waits;       /* TRNC_MAX_WAITS, scratch */
	uint8_t *record;       /* TRNC_REC_MAX, private copy of the record in hand */

	pthread_mutex_t lock;
	struct base_handles events;
	struct exec_event_block blocks[TRNC_MAX_EVENT_BLOCKS];
	struct base_list ready; /* held commands to look at again */
	_Atomic bool has_ready; /* not empty, for a look without the lock */
	uint64_t uncounted;	/* commands that have ended, and are not in page->commands yet; 0 when unlocked */
	uint64_t pending;	/* commands that are not complete, and buffers that the host still has */
	pthread_cond_t quiet;	/* pending became 0 */
	_Atomic uint32_t callbacks; /* of the host that are running and still look at the context */

	struct exec_gate_side gate;

	pthread_mutex_t programs_lock;
	struct base_handles programs;
	uint32_t nr_builders;
	pthread_cond_t builders_quiet; /* a builder's thread is done with its program, or with the context */
};

/* Makes the context and starts its thread. Return: 0 or -errno with a sentence. Control thread. */
int exec_context_create(struct executor *ex, const struct trnc_context_create *c, struct exec_context **ret,
			struct trn_error *err);

/* Stops the ring, waits for what runs, lets go of everything, frees. May take as long as a kernel runs. */
void exec_context_destroy(struct exec_context *c);

/* Makes one more block of event slots known. Control thread. */
int exec_context_add_block(struct exec_context *c, const struct trnc_event_block_add *a, struct trn_error *err);

/* Counts a refused record. Ring's thread. */
void exec_context_refuse(struct exec_context *c, int32_t cl_err);

/* Wakes the program's sleepers, after commands were counted. Any thread. */
void exec_context_signal(struct exec_context *c);
/* The same, after anything else that a program may wait for was published. Any thread. */
void exec_context_signal_news(struct exec_context *c);
/* A guest's program learns our clock by what it sees of it, before it sees an end at that time. */
void exec_context_tell_time(struct exec_context *c, uint64_t now_ns);

/* Counts down what exec_context_destroy() waits for. */
void exec_context_unpend_locked(struct exec_context *c, uint64_t nr);

/* Wakes the ring's thread, whatever the shared flag says. Any thread. */
void exec_context_poke(struct exec_context *c);

#endif
