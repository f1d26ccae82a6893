/* SPDX-License-Identifier: MIT */
/*
 * Requests that go by messages. A request is cut into jobs, one for each map, and a job into messages of what both sides can
 * take. Jobs are sent in the order in which they came; replies come in any order. The first failure ends the request at once:
 * what it has not sent is forgotten, and for what it has sent the message's slot stays taken until the late reply frees it.
 *
 * Messages are made in staging, so a request may end while its message is being sent.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/range.h"
#include "vfio-user/dma_priv.h"

#define FIXED (sizeof(struct vfu_header) + sizeof(struct vfu_dma_access))

static uint32_t smallest(uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

static int make_room(struct vfu_dma *d)
{
	/* Theirs bounds what we send, ours what the reply may bring. */
	d->max_piece = smallest(d->conn->theirs.max_data_xfer_size, d->conn->ours.max_data_xfer_size, VFU_MAX_PIECE);
	if (!d->max_piece)
		return -EOPNOTSUPP;
	d->jobs = calloc(VFU_MAX_JOBS, sizeof(*d->jobs));
	d->staging = malloc(FIXED + d->max_piece);
	if (!d->jobs || !d->staging) {
		free(d->jobs);
		d->jobs = NULL;
		free(d->staging);
		d->staging = NULL;
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < VFU_MAX_JOBS; i++)
		base_list_append(&d->free_jobs, &d->jobs[i].node);
	return 0;
}

int vfu_queue_prepare_locked(struct vfu_dma *d, unsigned int nr_jobs)
{
	if (d->is_gone)
		return -ENOTCONN;
	if (nr_jobs > VFU_MAX_JOBS)
		return -EINVAL;
	if (nr_jobs > VFU_MAX_JOBS - d->nr_jobs)
		return -EBUSY;
	return d->jobs ? 0 : make_room(d);
}

void vfu_queue_add_locked(struct vfu_dma *d, struct trn_dma_request *req, uint64_t iova, uint8_t *buf, uint64_t len)
{
	struct vfu_job *job = base_container_of(d->free_jobs.next, struct vfu_job, node);

	base_list_remove(&job->node);
	job->req = req;
	job->iova = iova;
	job->buf = buf;
	job->len = len;
	job->nr_sent = 0;
	job->nr_unanswered = 0;
	base_list_append(&d->unsent, &job->node);
	d->nr_jobs++;
	d->nr_unsent++;
	req->cookie++; /* counts the jobs that are left, until the end */
}

static void free_job(struct vfu_dma *d, struct vfu_job *job)
{
	if (job->nr_sent < job->len)
		d->nr_unsent--;
	job->req = NULL;
	base_list_remove(&job->node);
	base_list_append(&d->free_jobs, &job->node);
	d->nr_jobs--;
}

void vfu_queue_drop_locked(struct vfu_dma *d, const struct trn_dma_request *req)
{
	for (unsigned int i = 0; i < VFU_MAX_MESSAGES; i++)
		if (d->messages[i].job && d->messages[i].job->req == req)
			d->messages[i].job = NULL;
	for (unsigned int i = 0; i < VFU_MAX_JOBS; i++)
		if (d->jobs[i].req == req)
			free_job(d, &d->jobs[i]);
}

static void end_request(struct vfu_dma *d, struct trn_dma_request *req, int result, struct vfu_ended *ended)
{
	vfu_queue_drop_locked(d, req);
	req->cookie = (uint64_t)(int64_t)result;
	req->next = NULL;
	if (ended->last)
		ended->last->next = req;
	else
		ended->first = req;
	ended->last = req;
}

void vfu_queue_tell(struct vfu_ended *ended)
{
	struct trn_dma_request *req = ended->first, *next;

	for (; req; req = next) {
		next = req->next;
		req->done(req, (int)(int64_t)req->cookie);
	}
	*ended = (struct vfu_ended){ NULL, NULL };
}

void vfu_queue_cancel_locked(struct vfu_dma *d, uint64_t iova, uint64_t len, struct vfu_ended *ended)
{
	if (!d->nr_jobs)
		return;
	for (unsigned int i = 0; i < VFU_MAX_JOBS; i++) {
		struct vfu_job *job = &d->jobs[i];

		if (job->req && (!len || base_range_overlaps(iova, len, job->iova, job->len)))
			end_request(d, job->req, -ECANCELED, ended);
	}
}

static struct vfu_message *free_message(struct vfu_dma *d)
{
	for (unsigned int i = 0; i < VFU_MAX_MESSAGES; i++)
		if (!d->messages[i].in_use)
			return &d->messages[i];
	return NULL;
}

static struct vfu_message *make_message(struct vfu_dma *d, struct vfu_job *job)
{
	struct vfu_message *m = free_message(d);
	uint64_t left = job->len - job->nr_sent;

	if (!m)
		return NULL;
	m->in_use = true;
	m->job = job;
	/* An id comes again only after many others, so that a reply to a question long answered is noticed. */
	m->id = (uint16_t)(d->generation++ * VFU_MAX_MESSAGES + (unsigned int)(m - d->messages));
	m->command = job->req->is_write ? VFU_DMA_WRITE : VFU_DMA_READ;
	m->iova = job->iova + job->nr_sent;
	m->len = left < d->max_piece ? left : d->max_piece;
	return m;
}

static size_t write_message(struct vfu_dma *d, const struct vfu_message *m)
{
	size_t data_len = m->command == VFU_DMA_WRITE ? m->len : 0;
	struct vfu_header header = { .id = m->id, .command = m->command, .size = (uint32_t)(FIXED + data_len) };
	struct vfu_dma_access access = { .address = m->iova, .count = m->len };

	memcpy(d->staging, &header, sizeof(header));
	memcpy(d->staging + sizeof(header), &access, sizeof(access));
	if (data_len)
		memcpy(d->staging + FIXED, m->job->buf + (m->iova - m->job->iova), data_len);
	return FIXED + data_len;
}

size_t vfu_queue_next_locked(struct vfu_dma *d)
{
	struct vfu_message *m;
	struct vfu_job *job;

	if (base_list_is_empty(&d->unsent))
		return 0;
	job = base_container_of(d->unsent.next, struct vfu_job, node);
	m = make_message(d, job);
	if (!m)
		return 0;
	job->nr_unanswered++;
	job->nr_sent += m->len;
	if (job->nr_sent == job->len) {
		base_list_remove(&job->node);
		base_list_append(&d->sent, &job->node);
		d->nr_unsent--;
	}
	return write_message(d, m);
}

static int error_of(const struct vfu_header *header)
{
	if (!(header->flags & VFU_FLAG_ERROR))
		return 0;
	/* The client's errno; one that no system has would be taken for something else. */
	return header->error && header->error < 4096 ? -(int)header->error : -EIO;
}

/*
 * Is it what was asked for?  A write may be answered by the header alone (QEMU does), or with a count of 32 bits, as one place of
 * the specification has it.
 */
static int check_reply(const struct vfu_message *m, const struct vfu_request *reply)
{
	struct vfu_dma_access access = { 0 };
	size_t want = sizeof(access) + (m->command == VFU_DMA_READ ? m->len : 0);

	if (m->command == VFU_DMA_WRITE && reply->len == 0)
		return 0;
	if (reply->len != want && (m->command == VFU_DMA_READ || reply->len != sizeof(access) - 4))
		return -EIO;
	memcpy(&access, reply->payload, reply->len < sizeof(access) ? reply->len : sizeof(access));
	return access.address == m->iova && access.count == m->len ? 0 : -EIO;
}

static int take_reply(struct vfu_job *job, const struct vfu_message *m, const struct vfu_request *reply)
{
	int r = error_of(&reply->header);

	if (r < 0)
		return r;
	r = check_reply(m, reply);
	if (r < 0)
		return r;
	if (m->command == VFU_DMA_READ)
		memcpy(job->buf + (m->iova - job->iova), reply->payload + sizeof(struct vfu_dma_access), m->len);
	return 0;
}

int vfu_queue_reply_locked(struct vfu_dma *d, const struct vfu_request *reply, struct vfu_ended *ended)
{
	struct vfu_message *m = &d->messages[reply->header.id % VFU_MAX_MESSAGES];
	struct vfu_job *job = m->job;
	struct trn_dma_request *req;
	int r;

	if (!m->in_use || m->id != reply->header.id || m->command != reply->header.command)
		return -EINVAL;
	m->in_use = false;
	m->job = NULL;
	if (!job)
		return 0;
	req = job->req;
	r = take_reply(job, m, reply);
	job->nr_unanswered--;
	if (r < 0) {
		end_request(d, req, r, ended);
	} else if (!job->nr_unanswered && job->nr_sent == job->len) {
		free_job(d, job);
		if (--req->cookie == 0)
			end_request(d, req, 0, ended);
	}
	return 0;
}
