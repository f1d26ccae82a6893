/* SPDX-License-Identifier: MIT */
/* From a checked record to the host's enqueue call. Ring's thread. */
#ifndef EXECUTOR_COMMANDS_H
#define EXECUTOR_COMMANDS_H

#include <stdint.h>

#include "executor/context.h"
#include "executor/decode.h"
#include "executor/kernel.h"

/* The objects that a command works on. */
struct exec_operands {
	struct exec_kernel *kernel;
	struct exec_snapshot *args; /* of a held launch */
	struct exec_buffer *buffer; /* or source of a copy */
	struct exec_buffer *dst;
	struct exec_segment *source; /* WRITE: one use from resolve on */
	const void *source_addr;
};

/* Finds the objects, checks ranges against them, takes a launch's arguments. The pointers are borrowed. */
int32_t exec_operands_resolve(struct exec_context *c, const struct exec_record *r, struct exec_operands *ret);

/* Makes them last: for a command that is held. And the opposite. */
int32_t exec_operands_hold(struct exec_context *c, struct exec_operands *ops);
void exec_operands_drop(struct exec_context *c, struct exec_operands *ops);

/* Gives the command to the host's queue. @ret_event may be NULL: then nobody is told. Return: cl error. */
int32_t exec_command_enqueue(struct exec_context *c, cl_command_queue queue, const struct exec_record *r,
			     const struct exec_operands *ops, cl_uint nr_waits, const cl_event *waits,
			     cl_event *ret_event);

/* Does the command only order others, given how the host's memory works? */
bool exec_command_is_order_only(const struct exec_context *c, const struct exec_record *r);

#endif
