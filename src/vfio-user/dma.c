/* SPDX-License-Identifier: MIT */
/* What a driver asks for: an access is checked as a whole, done at once where the memory is at hand, and queued for the rest. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "vfio-user/dma_priv.h"

/* Is all of it offered for that direction?  How many parts of it need messages? */
static int check_request(const struct vfu_dma *d, const struct trn_dma_request *req, unsigned int *ret_jobs)
{
	uint32_t right = req->is_write ? TRN_DMA_WRITE : TRN_DMA_READ;
	uint64_t at = req->iova, end = req->iova + req->len;

	*ret_jobs = 0;
	while (at < end) {
		const struct vfu_map *map = vfu_table_at_locked(d, at);

		if (!map || !(map->flags & right))
			return -EFAULT;
		*ret_jobs += map->way == VFU_WAY_MESSAGES;
		at = map->iova + map->len;
	}
	return 0;
}

/* The part of [at, end) that lies in the map at that place. */
static const struct vfu_map *part_at(const struct vfu_dma *d, uint64_t at, uint64_t end, uint64_t *ret_len)
{
	const struct vfu_map *map = vfu_table_at_locked(d, at);
	uint64_t map_end = map->iova + map->len;

	*ret_len = (end < map_end ? end : map_end) - at;
	return map;
}

static int copy_parts(const struct vfu_dma *d, const struct trn_dma_request *req)
{
	uint64_t at = req->iova, end = req->iova + req->len, len;
	int r = 0;

	for (; at < end && r >= 0; at += len) {
		const struct vfu_map *map = part_at(d, at, end, &len);

		if (map->way != VFU_WAY_MESSAGES)
			r = vfu_memory_copy(map, at, (uint8_t *)req->buf + (at - req->iova), len, req->is_write);
	}
	return r;
}

static void add_parts_locked(struct vfu_dma *d, struct trn_dma_request *req)
{
	uint64_t at = req->iova, end = req->iova + req->len, len;

	req->cookie = 0;
	for (; at < end; at += len)
		if (part_at(d, at, end, &len)->way == VFU_WAY_MESSAGES)
			vfu_queue_add_locked(d, req, at, (uint8_t *)req->buf + (at - req->iova), len);
}

static int queue_parts(struct vfu_dma *d, struct trn_dma_request *req, unsigned int nr_jobs)
{
	int r;

	pthread_mutex_lock(&d->queue_lock);
	r = vfu_queue_prepare_locked(d, nr_jobs);
	if (r >= 0) {
		add_parts_locked(d, req);
		r = vfu_send_wake_locked(d);
		if (r < 0)
			vfu_queue_drop_locked(d, req);
	}
	pthread_mutex_unlock(&d->queue_lock);
	return r < 0 ? r : 1;
}

static int access_memory(struct trn_use *use, struct trn_dma_request *req)
{
	struct vfu_conn *c = trn_use_priv(use);
	struct vfu_dma *d = c->dma;
	unsigned int nr_jobs;
	int r;

	pthread_rwlock_rdlock(&d->table_lock);
	r = check_request(d, req, &nr_jobs);
	if (r >= 0)
		r = copy_parts(d, req);
	if (r >= 0 && nr_jobs)
		r = queue_parts(d, req, nr_jobs);
	pthread_rwlock_unlock(&d->table_lock);
	return r;
}

const struct trn_dma_ops vfu_dma_ops = {
	.access = access_memory,
};

int vfu_dma_handle_reply(struct vfu_conn *c, struct vfu_request *reply)
{
	struct vfu_ended ended = { NULL, NULL };
	struct vfu_dma *d = c->dma;
	int r;

	if (!d)
		return -EINVAL;
	pthread_mutex_lock(&d->queue_lock);
	r = vfu_queue_reply_locked(d, reply, &ended);
	pthread_mutex_unlock(&d->queue_lock);
	vfu_queue_tell(&ended);
	return r;
}

void vfu_dma_give_up(struct vfu_dma *d)
{
	struct vfu_ended ended = { NULL, NULL };

	pthread_mutex_lock(&d->queue_lock);
	d->is_gone = true;
	vfu_queue_cancel_locked(d, 0, 0, &ended);
	pthread_mutex_unlock(&d->queue_lock);
	vfu_queue_tell(&ended);
}

void vfu_dma_settle(struct vfu_dma *d, const struct vfu_map *map)
{
	struct vfu_ended ended = { NULL, NULL };

	/* The others' accesses ended when the table's lock was had for writing. */
	if (map->way != VFU_WAY_MESSAGES)
		return;
	pthread_mutex_lock(&d->queue_lock);
	vfu_queue_cancel_locked(d, map->iova, map->len, &ended);
	vfu_send_settle_locked(d);
	pthread_mutex_unlock(&d->queue_lock);
	vfu_queue_tell(&ended);
}

static int init_table_lock(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attr;
	int r;

	/* A device that copies all the time must not keep the client's unmap waiting. No thread reads twice at the same time. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	r = pthread_rwlock_init(lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	return -r;
}

int vfu_dma_open(struct vfu_conn *c)
{
	struct vfu_dma *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	if (init_table_lock(&d->table_lock) < 0) {
		free(d);
		return -ENOMEM;
	}
	d->conn = c;
	pthread_mutex_init(&d->queue_lock, NULL);
	pthread_cond_init(&d->work, NULL);
	pthread_cond_init(&d->sent_one, NULL);
	base_list_init(&d->free_jobs);
	base_list_init(&d->unsent);
	base_list_init(&d->sent);
	d->wake_fd = -1;
	c->dma = d;
	trn_use_set_priv(c->use, c);
	trn_use_set_dma_ops(c->use, &vfu_dma_ops);
	return 0;
}

void vfu_dma_close(struct vfu_conn *c)
{
	struct vfu_dma *d = c->dma;
	struct vfu_map **maps;
	size_t nr;

	if (!d)
		return;
	pthread_rwlock_wrlock(&d->table_lock);
	maps = TAKE_PTR(d->maps);
	nr = d->nr_maps;
	d->nr_maps = d->room = 0;
	pthread_rwlock_unlock(&d->table_lock);
	vfu_dma_give_up(d);
	vfu_send_stop(d);
	for (size_t i = 0; i < nr; i++) {
		(void)trn_use_dma_unmap(c->use, maps[i]->iova, maps[i]->len);
		vfu_memory_close(maps[i]);
	}
	free(maps);
}

void vfu_dma_free(struct vfu_conn *c)
{
	struct vfu_dma *d = TAKE_PTR(c->dma);

	if (!d)
		return;
	base_close(d->wake_fd);
	pthread_cond_destroy(&d->sent_one);
	pthread_cond_destroy(&d->work);
	pthread_mutex_destroy(&d->queue_lock);
	pthread_rwlock_destroy(&d->table_lock);
	free(d->staging);
	free(d->jobs);
	free(d);
}
