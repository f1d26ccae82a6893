/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <fcntl.h>
#include <sanitizer/asan_interface.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "descriptors.h"
#include "replies.h"

#define MAX_SEND (256u << 10)
#define MAX_FDS 16u
#define MAX_SENDS 256 /* a run shall not take long */
#define MAX_SAID 8u
#define MAX_SAID_LEN 512u

enum how { IS_MESSAGE = 1, IS_GLUED = 2, IS_LONG = 4, IS_REPLY = 8 };

/* With these the bytes of the send go nowhere, or to the twin socket. */
enum deed { DEED_SHRINK = 1, DEED_RESTORE, DEED_SIGNAL, DEED_TWIN, DEED_TWIN_CLOSES };

/* A send in front of those of the input. */
struct said {
	struct vfu_header header;
	uint8_t payload[MAX_SAID_LEN];
	int fd;
};

struct wire {
	int fd; /* stands for the socket */
	struct descriptors *descriptors;
	struct input *in;
	struct replies replies;
	int nr_sends;
	uint16_t next_id;
	int twin; /* the client's end; -1: none */
	struct said said[MAX_SAID];
	unsigned int nr_said, next_said;

	uint8_t *buf; /* what is being sent: [pos, len) */
	size_t pos, len;
	size_t piece; /* that is read at once */
	bool is_glued;
	int fds[MAX_FDS]; /* that come with it */
	unsigned int nr_fds;
};

static struct wire wire;

int wire_open(struct descriptors *descriptors, struct input *in)
{
	static uint8_t buf[MAX_SEND];
	struct wire *w = &wire;

	w->descriptors = descriptors;
	w->in = in;
	w->fd = dup(descriptors->fds[FD_NULL]);
	must(w->fd >= 0);
	w->nr_sends = 0;
	w->next_id = 1;
	w->twin = -1;
	w->buf = buf;
	w->pos = w->len = 0;
	w->nr_said = w->next_said = 0;
	w->nr_fds = 0;
	replies_begin(&w->replies);
	return w->fd;
}

static void close_twin(struct wire *w)
{
	if (w->twin >= 0)
		close(w->twin);
	w->twin = -1;
}

void wire_close(void)
{
	struct wire *w = &wire;

	for (unsigned int i = 0; i < w->nr_fds; i++)
		close(w->fds[i]);
	close_twin(w);
	replies_end(&w->replies);
	w->fd = -1;
}

/* --- What the client sends --- */

static void append(struct wire *w, const void *bytes, size_t len)
{
	if (len > MAX_SEND - w->len)
		len = MAX_SEND - w->len;
	if (len)
		memcpy(w->buf + w->len, bytes, len);
	w->len += len;
}

static void append_zeros(struct wire *w, size_t len)
{
	if (len > MAX_SEND - w->len)
		len = MAX_SEND - w->len;
	memset(w->buf + w->len, 0, len);
	w->len += len;
}

static void set_size(struct wire *w, size_t start)
{
	struct vfu_header h;

	memcpy(&h, w->buf + start, sizeof(h));
	h.size = (uint32_t)(w->len - start);
	memcpy(w->buf + start, &h, sizeof(h));
}

void wire_say(enum vfu_command command, const void *payload, size_t len, int fd)
{
	struct wire *w = &wire;
	struct said *s = &w->said[w->nr_said++];

	must(w->nr_said <= MAX_SAID && len <= sizeof(s->payload));
	s->header = (struct vfu_header){ .id = w->next_id++, .command = (uint16_t)command };
	s->header.size = (uint32_t)(sizeof(s->header) + len);
	memcpy(s->payload, payload, len);
	s->fd = fd;
}

static void send_said(struct wire *w)
{
	const struct said *s = &w->said[w->next_said++];

	append(w, &s->header, sizeof(s->header));
	append(w, s->payload, s->header.size - sizeof(s->header));
	w->piece = MAX_SEND;
	w->is_glued = true;
	if (s->fd >= 0)
		w->fds[w->nr_fds++] = fcntl(s->fd, F_DUPFD_CLOEXEC, 3);
}

static void put_message(struct wire *w, const uint8_t *bytes, size_t len)
{
	struct vfu_header h = { .id = w->next_id++, .size = sizeof(h) };

	if (len > 0)
		h.command = bytes[0];
	if (len > 1)
		h.flags = bytes[1];
	append(w, &h, sizeof(h));
	if (len > 2)
		append(w, bytes + 2, len - 2);
}

/* With fits: as the server wants it, of which the bytes are the data. */
static void put_reply(struct wire *w, bool fits, const uint8_t *bytes, size_t len)
{
	struct vfu_header h = { .id = w->next_id, .flags = VFU_FLAG_REPLY, .command = VFU_DMA_READ, .size = sizeof(h) };
	struct vfu_dma_access access = { 0 };
	size_t end;

	replies_take_command(&w->replies, &h, &access);
	append(w, &h, sizeof(h));
	if (!fits) {
		append(w, bytes, len);
		return;
	}
	append(w, &access, sizeof(access));
	end = w->len + (h.command == VFU_DMA_READ ? access.count : 0);
	append(w, bytes, len < end - w->len ? len : end - w->len);
	append_zeros(w, end - w->len);
}

static void do_deed(struct wire *w, unsigned int deed, const uint8_t *bytes, size_t len)
{
	switch (deed) {
	case DEED_SHRINK:
		descriptors_shrink(w->descriptors);
		break;
	case DEED_RESTORE:
		descriptors_restore(w->descriptors);
		break;
	case DEED_SIGNAL:
		descriptors_signal(w->descriptors);
		break;
	case DEED_TWIN:
		if (w->twin >= 0)
			(void)send(w->twin, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case DEED_TWIN_CLOSES:
		close_twin(w);
		break;
	default:
		break;
	}
}

static void attach(struct wire *w, unsigned int kind, unsigned int nr)
{
	for (w->nr_fds = 0; w->nr_fds < nr; w->nr_fds++)
		w->fds[w->nr_fds] = fcntl(w->descriptors->fds[(kind + w->nr_fds) % NR_FD_KINDS], F_DUPFD_CLOEXEC, 3);
}

/* The next send that brings a byte. */
static bool next_send(struct wire *w)
{
	w->pos = w->len = 0;
	if (w->next_said < w->nr_said) {
		send_said(w);
		return true;
	}
	while (!w->len && input_has(w->in) && w->nr_sends++ < MAX_SENDS) {
		uint8_t how = input_u8(w->in), fds = input_u8(w->in);
		const uint8_t *bytes;
		size_t len = input_take(w->in, input_u16(w->in), &bytes);

		if (!(fds >> 4) && fds) {
			do_deed(w, fds, bytes, len);
			continue;
		}
		if (how & IS_REPLY)
			put_reply(w, how & IS_MESSAGE, bytes, len);
		else if (how & IS_MESSAGE)
			put_message(w, bytes, len);
		else
			append(w, bytes, len);
		if (how & IS_LONG)
			append_zeros(w, 64 * w->len);
		if (how & (IS_MESSAGE | IS_REPLY))
			set_size(w, 0);
		w->is_glued = how & IS_GLUED;
		w->piece = how >> 4 ? (how >> 4) * 3u : MAX_SEND;
		if (w->len)
			attach(w, fds & 15, fds >> 4);
	}
	return w->len;
}

/* --- The server's system calls --- */

static void give_fds(struct wire *w, struct msghdr *msg)
{
	struct cmsghdr *c = msg->msg_control;

	must(msg->msg_controllen >= CMSG_SPACE(MAX_FDS * sizeof(int)));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(w->nr_fds * sizeof(int));
	memcpy(CMSG_DATA(c), w->fds, w->nr_fds * sizeof(int));
	msg->msg_controllen = CMSG_SPACE(w->nr_fds * sizeof(int));
	w->nr_fds = 0;
}

ssize_t __real_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __real_send(int fd, const void *buf, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags);

/* As the kernel: pieces that were sent are put together, but descriptors come with the first byte that they were sent with, and
 * nothing behind that send comes with them. */
ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct wire *w = &wire;
	uint8_t *to = msg->msg_iov->iov_base;
	size_t room = msg->msg_iov->iov_len, done = 0;
	bool has_fds = false, is_over = false;

	if (fd != w->fd)
		return __real_recvmsg(fd, msg, flags);
	ASAN_UNPOISON_MEMORY_REGION(to, room);
	must(room > 0 && msg->msg_iovlen == 1);
	msg->msg_flags = 0;
	while (done < room && !has_fds && !is_over && (w->pos < w->len || next_send(w))) {
		size_t n = w->len - w->pos < w->piece ? w->len - w->pos : w->piece;

		if (n > room - done)
			n = room - done;
		memcpy(to + done, w->buf + w->pos, n);
		replies_expect(&w->replies, w->buf + w->pos, n);
		w->pos += n;
		done += n;
		has_fds = w->nr_fds;
		is_over = w->pos < w->len || !w->is_glued;
	}
	/* What was not received is not to be looked at. */
	ASAN_POISON_MEMORY_REGION(to + done, room - done);
	if (has_fds)
		give_fds(w, msg);
	else
		msg->msg_controllen = 0;
	return (ssize_t)done;
}

static unsigned int check_fds(struct wire *w, const struct msghdr *msg)
{
	struct cmsghdr *c = msg->msg_control;
	unsigned int nr;

	if (!msg->msg_controllen)
		return 0;
	nr = (unsigned int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	must(nr > 0 && nr <= MAX_FDS);
	for (unsigned int i = 0; i < nr; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
		must(fcntl(fd, F_GETFD) == FD_CLOEXEC);
		if (w->twin < 0 && replies_next_is_version(&w->replies))
			w->twin = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	}
	return nr;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct wire *w = &wire;

	if (fd != w->fd)
		return __real_sendmsg(fd, msg, flags);
	return (ssize_t)replies_take(&w->replies, msg->msg_iov, msg->msg_iovlen, check_fds(w, msg));
}

ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags)
{
	struct wire *w = &wire;
	/* What is sent is not written to. */
	struct iovec iov = { .iov_base = (void *)(uintptr_t)buf, .iov_len = len };

	if (fd != w->fd)
		return __real_send(fd, buf, len, flags);
	return (ssize_t)replies_take(&w->replies, &iov, 1, 0);
}
