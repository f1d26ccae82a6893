/* SPDX-License-Identifier: MIT */
/* What is outstanding in a queue, and the publishing of completions: the lower half of graph.h. */
#ifndef EXECUTOR_QUEUE_H
#define EXECUTOR_QUEUE_H

#include "executor/graph.h"

/* A command for the queue, alone yet; takes over the caller's reference on the event. NULL: no memory. */
struct exec_command *exec_command_new(struct exec_queue *q, uint64_t seq, uint64_t queued_ns,
				      struct exec_event *event);

/* Puts the newest command at the end of the outstanding row; on the host, it stands for the loose ones before it. */
void exec_queue_append_locked(struct exec_queue *q, struct exec_command *cmd);

/* Ends a command that is in the row: publishes, lets go of all that it has, frees it. */
void exec_command_end_locked(struct exec_command *cmd, int32_t status, const struct exec_times *times);

/* Ends a command that was never in the row. Consumes the reference on event (may be NULL). times NULL: it took none. */
void exec_queue_end_at_once_locked(struct exec_queue *q, uint64_t seq, uint64_t queued_ns, struct exec_event *event,
				   int32_t status, const struct exec_times *times);

/* The newest command was given to the host without an event. */
void exec_queue_add_loose_locked(struct exec_queue *q, uint64_t seq, bool prints);

/* A failure on the host that is the queue's, beside the event's. */
void exec_queue_fail_locked(struct exec_queue *q, int32_t cl_err);

/* A CLIENT command whose turn may have come. */
void exec_client_check_locked(struct exec_command *cmd);

/* Puts a held command on the context's ready list. */
void exec_command_set_ready_locked(struct exec_command *cmd);

/* Registers the callback for a command that the host has. No lock held. */
void exec_command_watch(struct exec_command *cmd);

void exec_queue_unref_locked(struct exec_queue *q);

/* Lets go of the host's queue, and of the table's reference. What is outstanding keeps ours. */
void exec_queue_drop_host(struct exec_context *c, struct exec_queue *q);

/* Gives back a reference that kept the queue while a held command left it. Ring's thread. */
void exec_queue_let_go(struct exec_context *c, struct exec_queue *q);

#endif
