/* SPDX-License-Identifier: MIT */
/*
 * Memory of the client: what it has mapped, and how the device reaches it.
 *
 * Four ways, chosen for each map when it is made: a memfd sealed against shrinking is mapped and copied from directly; another
 * file is mapped too, but copied by process_vm_readv/writev on ourselves, so that a client that truncates it causes -EFAULT
 * and not SIGBUS; with FILE_IO it is read and written; without a file there are DMA_READ and DMA_WRITE messages, which
 * never wait: they are sent by the connection's thread after the batch that it works on, else by a thread of their own.
 */
#ifndef VFIO_USER_DMA_H
#define VFIO_USER_DMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vfu_conn;
struct vfu_request;
struct trn_dma_ops;

/* After VERSION, when the use is open: gives the use its dma ops. 0 or -ENOMEM. */
int vfu_dma_open(struct vfu_conn *c);
/* Requests under way end with -ECANCELED, maps go; before the use is closed. c->dma may be NULL. */
void vfu_dma_close(struct vfu_conn *c);

/* The connection's thread begins and ends work on a batch: between the two no command of ours is sent; end sends what
 * has gathered. Costs next to nothing when nothing has. */
void vfu_dma_batch_begin(struct vfu_conn *c);
void vfu_dma_batch_end(struct vfu_conn *c);

/* A reply (or error reply) to a command of ours has arrived, on the main socket or on the twin. -EINVAL: to none that is known. */
int vfu_dma_handle_reply(struct vfu_conn *c, struct vfu_request *reply);

extern const struct trn_dma_ops vfu_dma_ops;

#endif
