/* SPDX-License-Identifier: MIT */
/*
 * Messages as they come out of a socket: many in one read, or one in many pieces.
 *
 * Which message do descriptors belong to?  The kernel ends a read behind the piece of data that they were sent with, but
 * glues it to what was sent before.  So they belong to a message that begins in the bytes that the read brought: to the
 * last one that takes so many descriptors, else to the last one.  This is exact for every client that sends a message
 * with descriptors by a call of its own.
 *
 * A message larger than the limit is not kept: its header is given out once, to be answered, and the rest is dropped.
 */
#ifndef VFIO_USER_INPUT_H
#define VFIO_USER_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct vfu_request;
struct vfu_input;

/* Messages of at most max_message bytes, with at most max_fds descriptors (<= VFU_MAX_FDS). NULL: no memory. */
struct vfu_input *vfu_input_new(size_t max_message, uint32_t max_fds);
void vfu_input_free(struct vfu_input *in); /* closes what nobody took; NULL is accepted */

/* One recvmsg(); all that was there before must have been taken by vfu_input_next(). Return: bytes; 0: the peer has
 * ended; -errno. */
ssize_t vfu_input_receive(struct vfu_input *in, int fd);

/*
 * The next message, valid until vfu_input_receive(); its descriptors until vfu_input_release(), which comes before the
 * next call. Return: 1 a message; 0 none that is complete; -E2BIG only the header is there, because the message is too
 * large or brought too many descriptors; -EMFILE likewise, because this process can have no more of them; -EBADMSG the
 * header cannot be read, nothing more will come.
 */
int vfu_input_next(struct vfu_input *in, struct vfu_request *ret);

/* Closes the descriptors of a message that nobody kept. */
void vfu_input_release(struct vfu_input *in);

/* Has a message begun whose rest is missing? */
bool vfu_input_is_partial(const struct vfu_input *in);

#endif
