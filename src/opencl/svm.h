/* SPDX-License-Identifier: MIT */
/*
 * Shared virtual memory: pieces of buffer memory in a window that stands at one address here and on the host, so that a
 * pointer means the same to the program and to its kernels, wherever it is stored.  A coherent host uses the bytes in
 * place: fine-grained sharing and atomics come by themselves.
 */
#ifndef OPENCL_SVM_H
#define OPENCL_SVM_H

#include "opencl/commands.h"

/* A context's allocations. Without: its device cannot share memory. */
struct svm;

/* Sets ctx->svm, where there can be one. CL_OUT_OF_HOST_MEMORY. */
cl_int svm_init(cl_context ctx);
void svm_finish(cl_context ctx);

/* What CL_DEVICE_SVM_CAPABILITIES answers. */
cl_device_svm_capabilities svm_capabilities(cl_device_id d);

/*
 * Takes a reference on the context for the program, until svm_free().  is_fine: kernels that run already may get to see
 * it.  NULL: the quota is used up.
 */
void *svm_alloc(cl_context ctx, size_t size, bool is_fine);
/* Does nothing for what is not an allocation's first byte. */
void svm_free(cl_context ctx, const void *ptr);

/* The allocation that begins with ptr: its size, or 0. */
size_t svm_size(cl_context ctx, const void *ptr);

/* The allocation that holds [ptr, ptr + size), counted; NULL. Its memory stays until the last reference is dropped. */
struct svm_piece;
struct svm_piece *svm_piece_get(cl_context ctx, const void *ptr, size_t size);
void svm_piece_put(cl_context ctx, struct svm_piece *piece);
/* Where ptr is, from the start of the window, and of the allocation. */
uint64_t svm_piece_offset(const struct svm_piece *piece, const void *ptr);
uint64_t svm_piece_place(const struct svm_piece *piece, const void *ptr);
/* The handle of a buffer over all of it; 0: lost, or no handle is left. */
uint64_t svm_piece_buffer(cl_context ctx, struct svm_piece *piece);

/* Bytes that are moved, or filled with a pattern. */
struct svm_work {
	uint8_t *dst;
	const uint8_t *src; /* NULL: a fill */
	size_t size;
	size_t pattern_size;
	uint8_t pattern[128];
};
/* Does the work as the command, by whoever is fastest, and ends the command. */
cl_int svm_work_enqueue(struct command *c, const struct svm_work *w, bool blocking);

/* A command that only has its turn in the queue: maps, unmaps, migrations. */
cl_int svm_turn_enqueue(cl_command_queue queue, cl_command_type type, cl_uint nr_waits, const cl_event *waits,
			cl_event *event);

/* CL_INVALID_COMMAND_QUEUE, CL_INVALID_OPERATION: what every command begins with. */
cl_int svm_check_queue(cl_command_queue queue);

#endif
