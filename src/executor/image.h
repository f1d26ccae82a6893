/* SPDX-License-Identifier: MIT */
/*
 * Images: objects of the host over the bytes of a buffer.  A host that works in place uses these bytes; elsewhere the
 * image has memory of its own, and regions are moved between the two.  Images of a buffer (1D_BUFFER) share its memory on
 * every host.  Ring's thread.
 */
#ifndef EXECUTOR_IMAGE_H
#define EXECUTOR_IMAGE_H

#include <stdint.h>

#include "executor/buffer.h"
#include "executor/context.h"

/* How an image with memory of its own lies in its buffer. */
struct exec_image_layout {
	uint64_t sizes[3];   /* pixels, rows, slices, as transfers count them: layers of lines are rows */
	uint64_t pixel;	     /* bytes */
	uint64_t row, slice; /* bytes; slice not 0 */
};

int32_t exec_image_create(struct exec_context *c, const struct trnc_rec_image_create *r);
int32_t exec_image_destroy(struct exec_context *c, uint64_t handle);
struct exec_buffer *exec_image_get(struct exec_context *c, uint64_t handle);

/* The image of a FETCH or STORE, which has memory of its own and the region. */
int32_t exec_image_find_region(struct exec_context *c, const struct trnc_cmd_image *r, struct exec_buffer **ret);
/* Enqueues it: one command where the region is a run of bytes in the buffer, else two. */
int32_t exec_image_move(struct exec_context *c, cl_command_queue queue, const struct trnc_cmd_image *r,
			const struct exec_buffer *image, cl_uint nr_waits, const cl_event *waits, cl_event *ret_event);

/* Ends all handles of a context that is being destroyed. */
void exec_images_release_all(struct exec_context *c);

#endif
