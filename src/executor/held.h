/* SPDX-License-Identifier: MIT */
/* Commands that are held: the middle part of graph.h. Ring's thread. */
#ifndef EXECUTOR_HELD_H
#define EXECUTOR_HELD_H

#include "executor/graph.h"

/* An event of the wait list failed. */
#define EXEC_WAIT_FAILED CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST

/* What an event means for a command of a queue that waits for it. */
enum exec_dependency { EXEC_DEP_MET, EXEC_DEP_FAILED, EXEC_DEP_ON_HOST, EXEC_DEP_UNKNOWN_TO_HOST };
enum exec_dependency exec_dependency_locked(const struct exec_event *e, const struct exec_queue *q);

/* Adds an event's host event to the context's scratch, with a reference. */
void exec_add_host_wait_locked(struct exec_context *c, const struct exec_event *e, cl_uint *nr);

/* Holds the command of a record. waits_turn: for nothing but what is outstanding (quick.h). Takes over event and ops,
 * unless it fails. Return: cl error. */
int32_t exec_hold(struct exec_context *c, struct exec_queue *q, const struct exec_record *r,
		  struct exec_operands *ops, struct exec_event *event, bool waits_turn);

/* Ends all commands that a queue holds, for a context that is being destroyed. */
void exec_held_end_all(struct exec_context *c, struct exec_queue *q);

#endif
