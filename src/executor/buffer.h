/* SPDX-License-Identifier: MIT */
/* Buffers: host memory objects over the window's memory. Ring's thread, except where the host calls back. */
#ifndef EXECUTOR_BUFFER_H
#define EXECUTOR_BUFFER_H

#include <stdint.h>

#include "base/list.h"
#include "executor/context.h"
#include "executor/decode.h"

struct exec_buffer_end;

/* An image is one, too: its parent is the buffer that it lies over. It is in a table of its own (image.h). */
struct exec_buffer {
	uint32_t refs; /* the table's, sub-buffers', images', held commands' and their arguments' */
	cl_mem host;
	cl_mem quick; /* the same bytes in the quick context; NULL: not made yet */
	uint64_t size;
	uint64_t flags;
	void *addr;		     /* first byte; NULL for a sub-buffer or image */
	uint8_t *bytes;		     /* the same, of a sub-buffer, too */
	struct exec_buffer *parent;  /* of a sub-buffer or image; one reference */
	struct exec_buffer_end *end; /* what happens when the host lets go; the host's callbacks own it */
	struct base_list maps;	     /* of exec_map, on hosts that do not work in place */
	struct exec_image_layout *layout; /* image.h: of an image that has memory of its own; owned */
};

int32_t exec_buffer_create(struct exec_context *c, const struct trnc_rec_buffer_create *r);
int32_t exec_sub_buffer_create(struct exec_context *c, const struct trnc_rec_sub_buffer_create *r);
int32_t exec_buffer_destroy(struct exec_context *c, const struct trnc_rec_buffer_destroy *r);
/* An object without handle for another object of the host over the buffer's bytes: neither the bytes nor the buffer's
 * end come free before the host has let go of both. is_child: the host's object keeps the host's buffer by itself (and
 * its end may go untold: PoCL's images of buffers). One reference; consumes host. */
int32_t exec_buffer_new_over(struct exec_context *c, struct exec_buffer *parent, cl_mem host, uint64_t flags,
			     bool is_child, struct exec_buffer **ret);
/* Ends all handles of a context that is being destroyed. */
void exec_buffers_release_all(struct exec_context *c);

struct exec_buffer *exec_buffer_get(struct exec_context *c, uint64_t handle);
struct exec_buffer *exec_buffer_ref(struct exec_buffer *b);
/* Accepts NULL; returns NULL. */
struct exec_buffer *exec_buffer_unref(struct exec_context *c, struct exec_buffer *b);

/* The buffer's bytes for kernels of the quick device (quick.h). NULL: it cannot have them. */
cl_mem exec_buffer_quick(struct exec_context *c, struct exec_buffer *b);

/* A map that the program has, on a host that does not work in place. */
struct exec_map {
	struct base_list link;
	uint64_t id;
	void *addr; /* the host's */
	cl_event mapped; /* of the map's command */
};
/* Retains the event. */
int32_t exec_buffer_add_map(struct exec_context *c, struct exec_buffer *b, uint64_t id, void *addr, cl_event mapped);
/* Removes the map and returns its address; NULL when there is none. */
void *exec_buffer_take_map(struct exec_context *c, struct exec_buffer *b, uint64_t id);

#endif
