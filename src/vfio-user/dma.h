/* SPDX-License-Identifier: MIT */
/*
 * Memory of the client: what it has mapped, and how the device reaches it.
 *
 * Four ways, chosen for each map when it is made: a memfd sealed against shrinking is mapped and copied from directly; another
 * file is mapped too, but copied by process_vm_readv/writev on ourselves, so that a client that truncates it causes -EFAULT
 * and not SIGBUS; with FILE_IO it is read and written; without a file there are DMA_READ and DMA_WRITE messages, which
 * never wait: they are sent by the connection's thread after the batch that it works on, else by a thread of their own.
 *
 * Locks, in the order in which they may be taken:
 *   1. the driver's (for a PCI device its recursive mutex); trn_use_dma() may be called with it held
 *   2. vfu_dma.table_lock, a rwlock: read during an access that is done at once, written to change the table, so that who
 *      has taken a map out knows that nobody copies from it any more
 *   3. vfu_dma.queue_lock, a mutex: requests and messages under way
 * None of them is held while something is sent (so the output's lock is never taken below one of ours, nor the reverse),
 * and 2 and 3 never while the driver is called: not for dma_map, dma_unmap, nor done.
 *
 * Unmapping and messages: requests that have a part in the unmapped range end with -ECANCELED before the reply. What was not
 * sent is never sent; what is being sent is on the socket before the reply; a reply that comes later is dropped, and no
 * longer touches the request's buffer. So a client that reads its socket in order finds no command for the range behind
 * the reply to its unmap. There is no such order between the two sockets of a client with a twin: it answers a command
 * that it reads too late with an error.
 */
#ifndef VFIO_USER_DMA_H
#define VFIO_USER_DMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vfu_conn;
struct vfu_request;
struct trn_dma_ops;

/* After VERSION, when the use is open: gives the use its dma ops, and its priv, which is the connection from now on.
 * 0 or -ENOMEM. */
int vfu_dma_open(struct vfu_conn *c);
/* Requests under way end with -ECANCELED, maps go (the driver is told); before the use is closed, by the connection's
 * thread. Shuts the sockets down, so that who sends on them comes back. c->dma may be NULL. */
void vfu_dma_close(struct vfu_conn *c);
/* After the use is closed, when no thread of the driver asks any more: frees c->dma, which may be NULL. */
void vfu_dma_free(struct vfu_conn *c);

/* The connection's thread begins and ends work on a batch: between the two no command of ours is sent; end sends what
 * has gathered. Costs next to nothing when nothing has. c->dma may be NULL. */
void vfu_dma_batch_begin(struct vfu_conn *c);
void vfu_dma_batch_end(struct vfu_conn *c);

/* A reply (or error reply) to a command of ours has arrived, on the main socket or on the twin. -EINVAL: to none that is known. */
int vfu_dma_handle_reply(struct vfu_conn *c, struct vfu_request *reply);

extern const struct trn_dma_ops vfu_dma_ops;

#endif
