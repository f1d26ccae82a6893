/* SPDX-License-Identifier: MIT */
/*
 * Who sends our messages on the main socket: the connection's thread, at the end of each batch; and while it sleeps, a
 * thread that is made when it is needed for the first time. One of the two at a time (is_sending), because there is
 * one place where messages are made.
 *
 * Nobody is forgotten: who adds a request looks at in_batch after it has raised nr_unsent, and the connection's thread
 * looks at nr_unsent after it has cleared in_batch, so one of the two sees the other.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/thread.h"
#include "vfio-user/dma_priv.h"

#define FIXED sizeof(struct vfu_dma_access)

/* 1: a message was sent; 0: there is none; -errno: none can be. Releases the lock meanwhile. */
static int send_one_locked(struct vfu_dma *d)
{
	size_t len = vfu_queue_next_locked(d);
	const uint8_t *fixed = d->staging + sizeof(struct vfu_header);
	struct vfu_header header;
	int r;

	if (!len)
		return 0;
	memcpy(&header, d->staging, sizeof(header));
	d->is_sending = true;
	pthread_mutex_unlock(&d->queue_lock);
	r = vfu_send_command(d->conn, &header, fixed, FIXED, fixed + FIXED, len - sizeof(header) - FIXED);
	pthread_mutex_lock(&d->queue_lock);
	d->is_sending = false;
	pthread_cond_broadcast(&d->sent_one);
	return r < 0 ? r : 1;
}

void vfu_send_settle_locked(struct vfu_dma *d)
{
	while (d->is_sending)
		pthread_cond_wait(&d->sent_one, &d->queue_lock);
}

static void *run(void *dma)
{
	struct vfu_dma *d = dma;
	int r;

	pthread_mutex_lock(&d->queue_lock);
	while (!d->must_stop) {
		r = d->in_batch || d->is_sending ? 0 : send_one_locked(d);
		if (r == 0 && !d->must_stop) {
			pthread_cond_wait(&d->work, &d->queue_lock);
		} else if (r < 0) {
			pthread_mutex_unlock(&d->queue_lock);
			vfu_dma_give_up(d);
			pthread_mutex_lock(&d->queue_lock);
		}
	}
	pthread_mutex_unlock(&d->queue_lock);
	return NULL;
}

static int start_locked(struct vfu_dma *d, void *(*body)(void *))
{
	int r = base_thread_start(&d->thread, body, d);

	d->has_thread = r == 0;
	return r;
}

static int wake_twin_locked(struct vfu_dma *d)
{
	if (d->wake_fd < 0)
		d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->wake_fd < 0)
		return -errno;
	(void)eventfd_write(d->wake_fd, 1);
	return d->has_thread ? 0 : start_locked(d, vfu_twin_run);
}

int vfu_send_wake_locked(struct vfu_dma *d)
{
	if (d->conn->twin_fd >= 0)
		return wake_twin_locked(d);
	if (d->in_batch)
		return 0;
	pthread_cond_signal(&d->work);
	return d->has_thread ? 0 : start_locked(d, run);
}

void vfu_send_stop(struct vfu_dma *d)
{
	bool has_thread;

	pthread_mutex_lock(&d->queue_lock);
	d->must_stop = true;
	has_thread = d->has_thread;
	pthread_cond_signal(&d->work);
	if (d->wake_fd >= 0)
		(void)eventfd_write(d->wake_fd, 1);
	pthread_mutex_unlock(&d->queue_lock);
	if (!has_thread)
		return;
	/* It may be waiting for room in the socket. */
	(void)shutdown(d->conn->fd, SHUT_RDWR);
	if (d->conn->twin_fd >= 0)
		(void)shutdown(d->conn->twin_fd, SHUT_RDWR);
	pthread_join(d->thread, NULL);
}

void vfu_dma_batch_begin(struct vfu_conn *c)
{
	if (c->dma)
		c->dma->in_batch = true;
}

void vfu_dma_batch_end(struct vfu_conn *c)
{
	struct vfu_dma *d = c->dma;
	int r = 1;

	if (!d)
		return;
	d->in_batch = false;
	if (!d->nr_unsent || c->twin_fd >= 0)
		return;
	pthread_mutex_lock(&d->queue_lock);
	/* When the other thread is at it, it goes on by itself. */
	while (r > 0 && !d->is_sending)
		r = send_one_locked(d);
	pthread_mutex_unlock(&d->queue_lock);
	if (r < 0)
		vfu_dma_give_up(d);
}
