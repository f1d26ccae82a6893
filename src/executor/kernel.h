/* SPDX-License-Identifier: MIT */
/*
 * Kernels and their arguments.  Each kernel has a shadow of all arguments as the records have set them; the host's
 * kernel object gets what differs just before a launch.  A launch that is held takes a snapshot of the shadow.
 */
#ifndef EXECUTOR_KERNEL_H
#define EXECUTOR_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "executor/buffer.h"
#include "executor/context.h"
#include "executor/decode.h"
#include "executor/program.h"

/* A kernel has an object of the host on each of its devices that it runs on (quick.h). */
enum exec_face { EXEC_MAIN, EXEC_QUICK, EXEC_NR_FACES };
#define EXEC_ALL_FACES 3u

struct exec_kernel_arg {
	uint16_t kind; /* 0: not set yet */
	uint8_t stale; /* bit of each face whose object has something else */
	uint32_t cap;
	uint64_t size;
	uint64_t memory; /* BUFFER, IMAGE: handle, 0 for NULL */
	uint8_t *value;	 /* VALUE: cap bytes, size of them set; SAMPLER: the host's; SVM: the address */
};

struct exec_snapshot {
	uint32_t refs;		    /* held commands'; each has one on the kernel, too */
	struct exec_kernel *kernel;
	uint64_t values; /* exec_kernel_values() */
	uint32_t nr_args;
	struct exec_snapshot_arg {
		uint16_t kind;
		uint64_t size;
		struct exec_buffer *memory; /* one reference */
		uint8_t *value;		    /* inside this allocation */
	} args[];
};

struct exec_kernel {
	uint32_t refs; /* the table's, held commands' */
	struct exec_kernel_face {
		cl_kernel host; /* NULL for EXEC_QUICK: not made yet */
		uint32_t nr_stale;
	} faces[EXEC_NR_FACES];
	struct exec_kernel_table *table; /* one reference */
	uint32_t index;
	uint32_t nr_args, nr_set;
	bool has_values; /* values is up to date */
	uint64_t values;
	uint64_t seen_gone;	      /* context's buffers_gone when all buffers and images were there */
	struct exec_snapshot *latest; /* of the shadow as it is, or NULL; its holders' */
	struct exec_kernel_arg args[];
};

int32_t exec_kernel_create(struct exec_context *c, const struct trnc_rec_kernel_create *r);
int32_t exec_kernel_clone(struct exec_context *c, const struct trnc_rec_kernel_clone *r);
int32_t exec_kernel_destroy(struct exec_context *c, uint64_t handle);
void exec_kernels_release_all(struct exec_context *c);

/* Passed on to the host at once: it holds for later launches, and those that are held may see it. */
int32_t exec_kernel_set_exec_info(struct exec_context *c, const struct trnc_rec_kernel_exec_info *r);

struct exec_kernel *exec_kernel_get(struct exec_context *c, uint64_t handle);
struct exec_kernel *exec_kernel_ref(struct exec_kernel *k);
struct exec_kernel *exec_kernel_unref(struct exec_context *c, struct exec_kernel *k);

/* Takes a launch's changed arguments into the shadow, all or none, and sees that every argument is there. */
int32_t exec_kernel_take_args(struct exec_context *c, struct exec_kernel *k, const struct exec_record *r);
/* Brings the host's object up to the shadow. */
int32_t exec_kernel_apply(struct exec_context *c, struct exec_kernel *k, enum exec_face face);

/* A hash of all values in the arguments, and of the sizes of local memory. */
uint64_t exec_kernel_values(struct exec_kernel *k);

/* The shadow as it is, for later; one reference. NULL: no memory. */
struct exec_snapshot *exec_kernel_snapshot(struct exec_context *c, struct exec_kernel *k);
int32_t exec_snapshot_apply(struct exec_context *c, struct exec_kernel *k, enum exec_face face,
			    const struct exec_snapshot *s);
/* Accepts NULL; returns NULL. */
struct exec_snapshot *exec_snapshot_unref(struct exec_context *c, struct exec_snapshot *s);

#endif
