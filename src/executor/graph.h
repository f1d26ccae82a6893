/* SPDX-License-Identifier: MIT */
/*
 * Order.  A command goes to the host's queue at once, with a wait list of host events, unless it depends on something
 * that the host does not know: a user event, a CLIENT command, or a command that is held for such a reason.  Those are
 * held here, so that the host never sees a user event (PoCL aborts when one fails).
 *
 * In order:     a queue holds a first-in first-out row: once a command is held, all later ones are.
 * Out of order: a command is held for its own waits, or behind a barrier that is held.
 *
 * Completion: each command that somebody may wait for is a struct exec_command in its queue's outstanding row, in the
 * order of sequence numbers; one may stand for a run of earlier commands that nobody waits for one by one.
 */
#ifndef EXECUTOR_GRAPH_H
#define EXECUTOR_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "executor/commands.h"
#include "executor/context.h"
#include "executor/decode.h"
#include "executor/events.h"

struct exec_queue {
	struct exec_context *context;
	cl_command_queue host;
	bool in_order, profiling;
	bool is_quick; /* short commands may run in the ring's thread (quick.h) */
	bool destroyed; /* by the program; what runs goes on */
	struct base_list unsettled; /* in the context's list while the host has commands that it was not made to begin */

	/* ring's thread */
	uint64_t seq;	      /* of the newest command */
	struct base_list held; /* of exec_command.held, in order of arrival */
	uint64_t fail_upto;   /* in order: held commands up to this number fail, one before them did */
	uint32_t streak; /* launches in a row that were believed to be short, and went to the host */
	struct exec_event *barrier; /* out of order: the newest barrier's event; one reference, or NULL */

	/* under the context's lock */
	uint32_t refs; /* the table's, commands' */
	struct exec_event *event; /* its slot counts completions; one reference */
	int32_t sticky;		  /* first failure on the host */
	struct base_list outstanding; /* of exec_command.link */
	uint64_t loose_from; /* first number of a run given to the host without an event; 0: none */
	bool loose_prints;
	uint64_t accounted; /* numbers up to this one are outstanding, loose or done */
	uint64_t done;	    /* published */
};

enum exec_state {
	EXEC_HELD,    /* waits for what the host does not know */
	EXEC_CLIENT,  /* is done by the program */
	EXEC_ON_HOST, /* the host will call back */
	EXEC_VIRTUAL, /* in order: done when all before it are */
};

struct exec_command {
	struct base_list link; /* queue->outstanding */
	struct base_list held; /* queue->held, or alone */
	struct base_list ready; /* context->ready, or alone */
	struct exec_queue *queue; /* one reference */
	enum exec_state state;
	bool prints;
	bool began; /* CLIENT: has been told */
	bool waits_turn; /* HELD for what is outstanding before it, nothing else */
	uint64_t from, to; /* sequence numbers that it stands for */
	uint64_t queued_ns;
	struct exec_event *event; /* one reference, or NULL */
	cl_event host;		  /* owned while ON_HOST */
	struct exec_segment *source; /* WRITE: one use */
	struct exec_measure *measure; /* NULL: nobody asks how long it takes */
	struct exec_gate_claim claim;

	/* while held */
	struct exec_record record; /* points into bytes */
	uint8_t *bytes;		   /* private copy */
	struct exec_operands ops;
	struct exec_wait *waits; /* nr_waits, some of them over */
	uint32_t nr_waits;
	uint32_t unresolved; /* under the context's lock */
	int32_t failure;     /* of something that it waits for */
};

/* Takes one command record, refused by decode (err) or not. @more: another record lies in the ring already. */
void exec_graph_command(struct exec_context *c, const struct exec_record *r, int32_t err, bool more);

/* The program sets a user event, or ends a CLIENT command. */
int32_t exec_graph_set_event(struct exec_context *c, const struct trnc_rec_user_event_set *s);

/* Looks at commands that became ready. Ring's thread. */
void exec_graph_run(struct exec_context *c);

/* Before the ring's thread rests: asks to be told about commands that were given to the host without an event. */
void exec_graph_settle(struct exec_context *c);

/* A wait of a held command is over, well or with a failure. */
void exec_graph_wait_over_locked(struct exec_context *c, struct exec_command *cmd, int32_t status);

int32_t exec_queue_create(struct exec_context *c, const struct trnc_rec_queue_create *r);
int32_t exec_queue_destroy(struct exec_context *c, uint64_t handle);
struct exec_queue *exec_queue_get(struct exec_context *c, uint64_t handle);
/* Drops all that is held and all handles, for a context that is being destroyed; what the host has goes on. */
void exec_queues_release_all(struct exec_context *c);

#endif
