/* SPDX-License-Identifier: MIT */
/*
 * Replies on their way out: gathered while a batch is worked on, sent by one sendmsg().
 *
 * A reply is begun (vfu_reply() in connection.h), then finished or replaced by an error.  Descriptors lie on the first byte
 * of what is sent, so replies before one that has descriptors are sent first.
 */
#ifndef VFIO_USER_OUTPUT_H
#define VFIO_USER_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

struct vfu_conn;
struct vfu_output;
struct vfu_request;

struct vfu_output *vfu_output_new(void); /* NULL: no memory */
void vfu_output_free(struct vfu_output *o); /* drops what was not sent; NULL is accepted */

/* As vfu_reply(), but the payload holds anything: for who fills all of it. */
void *vfu_output_begin(struct vfu_conn *c, const struct vfu_request *req, size_t len);
/* The end of the work on a request: its reply, which was begun, or an error reply, when r is negative.  Nothing when the
 * request wants none. */
void vfu_output_finish(struct vfu_conn *c, const struct vfu_request *req, int r);
/* Sends what has gathered. 0 or -errno: the connection is gone. */
int vfu_output_flush(struct vfu_conn *c);

#endif
