/* SPDX-License-Identifier: MIT */
/*
 * The parts of DMA: the table of maps (dma_table.c), the memory of one map (dma_memory.c), requests and messages under way
 * (dma_queue.c), and who sends them (dma_send.c, dma_twin.c). The locks are described in dma.h; [table] and [queue] say
 * which one a field needs, functions that end in _locked want it held.
 */
#ifndef VFIO_USER_DMA_PRIV_H
#define VFIO_USER_DMA_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "tranche/device.h"
#include "vfio-user/connection.h"
#include "vfio-user/dma.h"

#define VFU_MAX_JOBS 256u
#define VFU_MAX_MESSAGES 64u /* without a reply at the same time; a power of two: ids are made of it */
#define VFU_MAX_PIECE (1u << 20) /* of data in one message, whatever the client can take */

enum vfu_way { VFU_WAY_DIRECT, VFU_WAY_COPY, VFU_WAY_FILE, VFU_WAY_MESSAGES };

/* What one DMA_MAP offers; does not change once it is in the table. */
struct vfu_map {
	uint64_t iova;
	uint64_t len;
	uint32_t flags; /* TRN_DMA_* */
	enum vfu_way way;
	int fd; /* WAY_FILE; else -1 */
	uint64_t offset; /* of iova in the file */
	void *base; /* what was mmapped: may begin before iova, for huge pages */
	size_t base_len;
	uint8_t *addr; /* of iova in it */
};

/* A part of a request that lies in one map of WAY_MESSAGES. */
struct vfu_job {
	struct base_list node; /* in free_jobs, unsent or sent */
	struct trn_dma_request *req; /* NULL: free */
	uint64_t iova;
	uint8_t *buf;
	uint64_t len;
	uint64_t nr_sent; /* bytes, in messages made */
	unsigned int nr_unanswered; /* messages */
};

/* A message that awaits its reply. */
struct vfu_message {
	bool in_use;
	struct vfu_job *job; /* NULL: its request has ended, the reply is dropped */
	uint16_t id;
	uint16_t command;
	uint64_t iova;
	uint64_t len;
};

struct vfu_dma {
	struct vfu_conn *conn;

	pthread_rwlock_t table_lock;
	struct vfu_map **maps; /* [table] sorted by iova, without overlap */
	size_t nr_maps; /* [table] */
	size_t room; /* [table] */

	pthread_mutex_t queue_lock;
	struct vfu_job *jobs; /* [queue] made with the first request, like staging */
	struct base_list free_jobs, unsent, sent; /* [queue] */
	_Atomic unsigned int nr_unsent; /* jobs in unsent; written under [queue] */
	unsigned int nr_jobs; /* [queue] not free */
	struct vfu_message messages[VFU_MAX_MESSAGES]; /* [queue] */
	uint16_t generation; /* [queue] of ids */
	bool is_gone; /* [queue] nothing can be sent any more */

	_Atomic bool in_batch;
	bool is_sending; /* [queue] staging belongs to a thread that has not the lock */
	bool must_stop; /* [queue] */
	bool has_thread; /* [queue] */
	pthread_t thread; /* dma_send.c's, or dma_twin.c's */
	pthread_cond_t work; /* for the thread */
	pthread_cond_t sent_one; /* is_sending fell */
	int wake_fd; /* eventfd for the twin's thread; -1: none */
	uint8_t *staging; /* a whole message: header, struct vfu_dma_access, data */
	uint32_t max_piece; /* of data; [const] from the first request on */
};

/* Requests that have ended and whose askers are told when no lock is held; linked by trn_dma_request.next. */
struct vfu_ended {
	struct trn_dma_request *first, *last;
};

/* dma_memory.c: *fd becomes -1 when it is kept. Return: 0 or -errno, with a line at debug level. */
int vfu_memory_open(const struct vfu_dma_map *wire, int *fd, struct vfu_map **ret);
void vfu_memory_close(struct vfu_map *map); /* NULL is accepted */
/* [iova, iova + len) lies inside; not for WAY_MESSAGES. 0, -EFAULT (the file is too short by now), or the file's error. */
int vfu_memory_copy(const struct vfu_map *map, uint64_t iova, void *buf, size_t len, bool is_write);

/* dma_table.c: under the table's lock, written or read. */
/* 0, -EEXIST (overlap), -ENOSPC (max maps are there), -ENOMEM */
int vfu_table_add_locked(struct vfu_dma *d, struct vfu_map *map, uint32_t max);
/* The map that is exactly that; NULL: there is none. It is the caller's now. */
struct vfu_map *vfu_table_remove_locked(struct vfu_dma *d, uint64_t iova, uint64_t len);
bool vfu_table_has_locked(const struct vfu_dma *d, uint64_t iova, uint64_t len);
/* The map that iova lies in; NULL: there is none. */
struct vfu_map *vfu_table_at_locked(const struct vfu_dma *d, uint64_t iova);

/* dma_queue.c: under the queue's lock, but for vfu_queue_tell(). */
int vfu_queue_prepare_locked(struct vfu_dma *d, unsigned int nr_jobs); /* 0, -ENOTCONN, -EBUSY, -EINVAL, -ENOMEM */
void vfu_queue_add_locked(struct vfu_dma *d, struct trn_dma_request *req, uint64_t iova, uint8_t *buf, uint64_t len);
void vfu_queue_drop_locked(struct vfu_dma *d, const struct trn_dma_request *req); /* as if it had never been added */
/* Makes the next message in staging: its length, or 0 when there is none to be sent now. */
size_t vfu_queue_next_locked(struct vfu_dma *d);
/* Ends requests that have a part in the range; len 0: all. */
void vfu_queue_cancel_locked(struct vfu_dma *d, uint64_t iova, uint64_t len, struct vfu_ended *ended);
int vfu_queue_reply_locked(struct vfu_dma *d, const struct vfu_request *reply, struct vfu_ended *ended);
void vfu_queue_tell(struct vfu_ended *ended); /* without any lock */

/* dma_send.c, dma_twin.c */
int vfu_send_wake_locked(struct vfu_dma *d); /* something was added: 0, or the error of making the thread */
void vfu_send_settle_locked(struct vfu_dma *d); /* waits until nobody is sending; releases the lock meanwhile */
void vfu_send_stop(struct vfu_dma *d); /* joins the thread */
void *vfu_twin_run(void *dma);

/* dma.c: nothing can be sent any more. */
void vfu_dma_give_up(struct vfu_dma *d);
/* No access to the map, which is not in the table any more, is under way or will be. */
void vfu_dma_settle(struct vfu_dma *d, const struct vfu_map *map);

#endif
