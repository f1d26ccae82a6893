/* SPDX-License-Identifier: MIT */
#include "vfio-user/output.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "vfio-user/connection.h"

#define SIZE_USUAL (64u << 10)
#define SIZE_KEPT (2u << 20) /* a larger buffer is given back as soon as it is empty */
#define FLUSHES_KEPT 64u /* a large one after so many flushes that did not need it */
#define MAX_OTHER (64u << 10) /* payload of a reply that moves no data: capabilities and such */
#define MAX_DATA (16u << 20)
#define MAX_FIXED 64u /* of a reply in front of its data */

struct fd_list {
	int fds[VFU_MAX_FDS];
	size_t nr;
};

/* The buffer belongs to the connection's thread; the lock orders what goes into the socket. */
struct vfu_output {
	pthread_mutex_t lock; /* of the main socket */

	uint8_t *buf; /* finished replies: [0, end); the one that was begun: [end, end + len) */
	size_t cap;
	size_t end;
	size_t len;
	struct fd_list fds; /* of the reply at 0 */
	struct fd_list new_fds; /* of the one that was begun */
	unsigned int nr_small_flushes;
	int error; /* of sending: nothing more is sent */
};

struct vfu_output *vfu_output_new(void)
{
	struct vfu_output *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->buf = malloc(SIZE_USUAL);
	if (!o->buf) {
		free(o);
		return NULL;
	}
	o->cap = SIZE_USUAL;
	pthread_mutex_init(&o->lock, NULL);
	return o;
}

static void drop_fds(struct fd_list *l)
{
	for (size_t i = 0; i < l->nr; i++)
		base_close(l->fds[i]);
	l->nr = 0;
}

void vfu_output_free(struct vfu_output *o)
{
	if (!o)
		return;
	drop_fds(&o->fds);
	drop_fds(&o->new_fds);
	pthread_mutex_destroy(&o->lock);
	free(o->buf);
	free(o);
}

static void attach_fds(struct msghdr *msg, struct cmsghdr *cmsg, const int *fds, size_t nr)
{
	msg->msg_control = cmsg;
	msg->msg_controllen = CMSG_SPACE(nr * sizeof(int));
	memset(cmsg, 0, msg->msg_controllen);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(nr * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, nr * sizeof(int));
}

/* Takes n sent bytes off the front. */
static void advance(struct msghdr *msg, size_t n)
{
	while (msg->msg_iovlen && n >= msg->msg_iov->iov_len) {
		n -= msg->msg_iov->iov_len;
		msg->msg_iov++;
		msg->msg_iovlen--;
	}
	if (msg->msg_iovlen) {
		msg->msg_iov->iov_base = (uint8_t *)msg->msg_iov->iov_base + n;
		msg->msg_iov->iov_len -= n;
	}
}

static int send_all(int fd, struct iovec *iov, size_t nr_iov, const int *fds, size_t nr_fds)
{
	union {
		char buf[CMSG_SPACE(VFU_MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = nr_iov };

	if (nr_fds)
		attach_fds(&msg, &control.align, fds, nr_fds);
	while (msg.msg_iovlen) {
		/* One piece without descriptors is the usual case, and this way cheaper for the kernel. */
		bool is_plain = msg.msg_iovlen == 1 && !msg.msg_control;
		ssize_t n = is_plain ? send(fd, msg.msg_iov->iov_base, msg.msg_iov->iov_len, MSG_NOSIGNAL) :
				       sendmsg(fd, &msg, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		advance(&msg, (size_t)n);
		msg.msg_control = NULL; /* they went with the first byte */
		msg.msg_controllen = 0;
	}
	return 0;
}

static void send_replies(struct vfu_conn *c)
{
	struct vfu_output *o = c->output;
	struct iovec iov = { .iov_base = o->buf, .iov_len = o->end };

	if (!o->end || o->error)
		goto out;
	pthread_mutex_lock(&o->lock);
	o->error = send_all(c->fd, &iov, 1, o->fds.fds, o->fds.nr);
	pthread_mutex_unlock(&o->lock);
	if (o->error)
		log_debug("a client takes no more replies: %s", strerror(-o->error));
out:
	o->end = 0;
	drop_fds(&o->fds);
}

/* Changes the size of the empty buffer. */
static int resize(struct vfu_output *o, size_t cap)
{
	uint8_t *buf = malloc(cap);

	if (!buf)
		return -ENOMEM;
	free(o->buf);
	o->buf = buf;
	o->cap = cap;
	return 0;
}

int vfu_output_flush(struct vfu_conn *c)
{
	struct vfu_output *o = c->output;

	send_replies(c);
	if (o->cap > SIZE_USUAL && (o->cap > SIZE_KEPT || ++o->nr_small_flushes > FLUSHES_KEPT))
		resize(o, SIZE_USUAL); /* without memory the large one serves on */
	return o->error;
}

static size_t max_payload(const struct vfu_conn *c)
{
	size_t len = c->theirs.max_data_xfer_size;

	if (len > MAX_DATA)
		len = MAX_DATA;
	if (len < MAX_OTHER)
		len = MAX_OTHER;
	return len + MAX_FIXED;
}

void *vfu_output_begin(struct vfu_conn *c, const struct vfu_request *req, size_t len)
{
	struct vfu_output *o = c->output;
	struct vfu_header header = {
		.id = req->header.id,
		.command = req->header.command,
		.flags = VFU_FLAG_REPLY,
	};
	size_t size = sizeof(header) + len;

	o->len = 0;
	drop_fds(&o->new_fds);
	if (len > max_payload(c)) {
		log_debug("a reply may have %zu bytes: this one has %zu", max_payload(c), len);
		return NULL;
	}
	if (size > SIZE_USUAL)
		o->nr_small_flushes = 0;
	if (size > o->cap - o->end)
		send_replies(c);
	if (size > o->cap && resize(o, size) < 0)
		return NULL;
	memcpy(o->buf + o->end, &header, sizeof(header));
	o->len = size;
	return o->buf + o->end + sizeof(header);
}

void *vfu_reply(struct vfu_conn *c, const struct vfu_request *req, size_t len)
{
	void *payload = vfu_output_begin(c, req, len);

	return payload ? memset(payload, 0, len) : NULL;
}

void vfu_reply_trim(struct vfu_conn *c, size_t len)
{
	if (sizeof(struct vfu_header) + len < c->output->len)
		c->output->len = sizeof(struct vfu_header) + len;
}

int vfu_reply_fd(struct vfu_conn *c, int fd)
{
	struct fd_list *l = &c->output->new_fds;

	if (l->nr >= c->theirs.max_msg_fds || l->nr >= VFU_MAX_FDS) {
		base_close(fd);
		return -E2BIG;
	}
	l->fds[l->nr++] = fd;
	return 0;
}

/* The reply that was begun goes behind the finished ones. */
static void append(struct vfu_conn *c)
{
	struct vfu_output *o = c->output;
	uint32_t size = (uint32_t)o->len;

	memcpy(o->buf + o->end + offsetof(struct vfu_header, size), &size, sizeof(size));
	if (o->new_fds.nr) {
		size_t at = o->end;

		send_replies(c);
		memmove(o->buf, o->buf + at, o->len);
		o->fds = o->new_fds;
		o->new_fds.nr = 0;
	}
	o->end += o->len;
	o->len = 0;
}

static void append_error(struct vfu_conn *c, const struct vfu_request *req, int r)
{
	struct vfu_header header;
	uint8_t *payload = vfu_output_begin(c, req, 0);

	memcpy(&header, payload - sizeof(header), sizeof(header));
	header.flags |= VFU_FLAG_ERROR;
	header.error = (uint32_t)-r;
	memcpy(payload - sizeof(header), &header, sizeof(header));
	append(c);
}

void vfu_output_finish(struct vfu_conn *c, const struct vfu_request *req, int r)
{
	struct vfu_output *o = c->output;

	if (req->header.flags & VFU_FLAG_NO_REPLY) {
		o->len = 0;
		drop_fds(&o->new_fds);
	} else if (r < 0) {
		append_error(c, req, r);
	} else {
		append(c);
	}
}

int vfu_send_command(struct vfu_conn *c, const struct vfu_header *header, const void *fixed, size_t fixed_len,
		     const void *data, size_t data_len)
{
	/* What is sent is not written to. */
	struct iovec iov[3] = {
		{ .iov_base = (void *)(uintptr_t)header, .iov_len = sizeof(*header) },
		{ .iov_base = (void *)(uintptr_t)fixed, .iov_len = fixed_len },
		{ .iov_base = (void *)(uintptr_t)data, .iov_len = data_len },
	};
	int r;

	pthread_mutex_lock(&c->output->lock);
	r = send_all(c->fd, iov, data_len ? 3 : 2, NULL, 0);
	pthread_mutex_unlock(&c->output->lock);
	return r;
}
