/* SPDX-License-Identifier: MIT */
/* Gives commands to the host, or ends those that need no host. Ring's thread. */
#ifndef EXECUTOR_DISPATCH_H
#define EXECUTOR_DISPATCH_H

#include "executor/graph.h"
#include "executor/quick.h"

/* A command on its way: from a record, or from a command that was held. */
struct exec_dispatch {
	struct exec_queue *q;
	const struct exec_record *r;
	struct exec_operands *ops;
	struct exec_event *event; /* a reference, consumed; NULL when cmd is given */
	struct exec_command *cmd; /* held until now, in its place in the row; or NULL */
	struct exec_command *join; /* with cmd: the next one, which goes to the host right after it; or NULL */
	cl_uint nr_waits;	  /* in the context's scratch, each with a reference, consumed */
	bool more;		  /* another record lies in the ring already */
	struct exec_quick_look look;
};

void exec_dispatch(struct exec_context *c, struct exec_dispatch *d);

/* Ends a command that never reaches the host, with a cl status. Consumes event and cmd. */
void exec_dispatch_end(struct exec_context *c, const struct exec_dispatch *d, int32_t status);

/* The same for one that is refused: counted, and the queue's failure. */
void exec_dispatch_refuse(struct exec_context *c, const struct exec_dispatch *d, int32_t err);

/* Gives the host a marker that stands for the queue's loose commands. */
void exec_dispatch_settle(struct exec_context *c, struct exec_queue *q);

/* A held command that stands for others before it, which the host has, does not follow them at once after all: a marker
 * stands for them. */
void exec_dispatch_split(struct exec_context *c, struct exec_command *cmd);

/* Lets go of the first nr host events of the context's scratch. */
void exec_dispatch_drop_waits(struct exec_context *c, cl_uint nr);

/* Markers without a wait list wait for all that came before. Matters out of order only. */
static inline bool exec_waits_for_all(const struct exec_record *r)
{
	return (r->type == TRNC_REC_MARKER || r->type == TRNC_REC_BARRIER) && r->nr_waits == 0;
}

#endif
