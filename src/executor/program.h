/* SPDX-License-Identifier: MIT */
/*
 * Programs: built by threads of their own on behalf of control messages, used by the ring's thread.
 * All fields of a program are under the context's programs_lock; while busy, its builder alone uses the host's object.
 */
#ifndef EXECUTOR_PROGRAM_H
#define EXECUTOR_PROGRAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/blob.h"
#include "executor/context.h"

/* What is known of a program's kernels after a build. Constant once made, except what quick.h needs. */
struct exec_kernel_table {
	_Atomic uint32_t refs;
	cl_program host; /* kernels keep it, and the program that this table belongs to; NULL: the host's build failed */
	bool may_print;
	struct exec_quick_program *quick; /* owned; NULL: its kernels stay on the main device */
	uint32_t nr_kernels;
	struct exec_kernel_entry {
		char *name;
		uint32_t nr_args;
		uint8_t *kinds; /* nr_args times enum trnc_arg_kind */
		struct exec_routes *routes; /* ring's thread; owned, NULL: none yet */
		bool never_quick;	    /* ring's thread */
	} kernels[];
};

struct exec_program {
	_Atomic uint32_t refs; /* the table's, builders', kernel tables' */
	struct exec_context *context;
	cl_program host;
	bool busy;	 /* a builder's thread works on it */
	bool building;	 /* and changes it */
	bool is_unmade;	 /* its reply has been given, the host's own build is still under way: who needs that waits */
	bool may_print;
	struct exec_kernel_table *table; /* one reference; NULL: not built to the end */
	struct base_blob result;	 /* reply of the last build */
};

/* PROGRAM_BUILD and PROGRAM_QUERY: start a thread that answers the message. Control thread. */
int exec_program_build(struct exec_context *c, uint64_t id, const struct trnc_program_build *b, struct trn_error *err);
int exec_program_query(struct exec_context *c, uint64_t id, const struct trnc_program_query *q, struct trn_error *err);

/* Ring's thread. */
int32_t exec_program_destroy(struct exec_context *c, uint64_t handle);
int32_t exec_program_create_kernel(struct exec_context *c, uint64_t program, uint32_t index,
				   struct exec_kernel_table **ret_table, cl_kernel *ret);

int32_t exec_kernel_table_create_kernel(struct exec_context *c, struct exec_kernel_table *t, uint32_t index,
					cl_kernel *ret);
struct exec_kernel_table *exec_kernel_table_ref(struct exec_kernel_table *t);
void exec_kernel_table_unref(struct exec_kernel_table *t);

struct exec_program *exec_program_ref(struct exec_program *p);
void exec_program_unref(struct exec_program *p);

/* Waits for builders, and ends all handles. */
void exec_programs_release_all(struct exec_context *c);

#endif
