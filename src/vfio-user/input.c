/* SPDX-License-Identifier: MIT */
#include "vfio-user/input.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "vfio-user/connection.h"

#define SIZE_USUAL (64u << 10)
#define SIZE_KEPT (2u << 20) /* a larger buffer is given back as soon as it is empty */
#define READS_KEPT 64u /* a large one after so many reads that did not need it */

struct fd_group {
	int fds[VFU_MAX_FDS];
	size_t nr;
	bool is_cut; /* there were more than fit */
};

struct vfu_input {
	size_t max_message;
	uint32_t max_fds;

	uint8_t *buf; /* unread bytes: [begin, end) */
	size_t cap;
	size_t begin;
	size_t end;
	uint32_t skip; /* bytes behind end that belong to a message that is dropped */
	unsigned int nr_small_reads;

	struct fd_group fresh; /* of the last read */
	size_t owner; /* where the message begins that they belong to */
	struct fd_group held; /* of the message at begin, or of the one that was given out */
};

struct vfu_input *vfu_input_new(size_t max_message, uint32_t max_fds)
{
	struct vfu_input *in = calloc(1, sizeof(*in));

	if (!in)
		return NULL;
	in->buf = malloc(SIZE_USUAL);
	if (!in->buf) {
		free(in);
		return NULL;
	}
	in->cap = SIZE_USUAL;
	in->max_message = max_message;
	in->max_fds = max_fds;
	return in;
}

static void drop_fds(struct fd_group *g)
{
	for (size_t i = 0; i < g->nr; i++)
		base_close(g->fds[i]);
	g->nr = 0;
	g->is_cut = false;
}

void vfu_input_free(struct vfu_input *in)
{
	if (!in)
		return;
	drop_fds(&in->fresh);
	drop_fds(&in->held);
	free(in->buf);
	free(in);
}

static bool has_header(const struct vfu_input *in, size_t at)
{
	return in->end - at >= sizeof(struct vfu_header);
}

static struct vfu_header load_header(const struct vfu_input *in, size_t at)
{
	struct vfu_header h;

	memcpy(&h, in->buf + at, sizeof(h));
	return h;
}

bool vfu_input_is_partial(const struct vfu_input *in)
{
	return in->skip || in->begin < in->end;
}

/* Moves what is there into a buffer of another size. */
static int resize(struct vfu_input *in, size_t cap)
{
	uint8_t *buf = malloc(cap);

	if (!buf)
		return -ENOMEM;
	memcpy(buf, in->buf + in->begin, in->end - in->begin);
	free(in->buf);
	in->buf = buf;
	in->cap = cap;
	in->end -= in->begin;
	in->begin = 0;
	return 0;
}

static bool is_wasteful(struct vfu_input *in)
{
	if (in->cap == SIZE_USUAL)
		return false;
	return in->cap > SIZE_KEPT || ++in->nr_small_reads > READS_KEPT;
}

/* Room behind what is there, at least for the rest of the message that has begun. */
static int make_room(struct vfu_input *in)
{
	size_t len = in->end - in->begin;

	if (!len) {
		in->begin = in->end = 0;
		if (is_wasteful(in))
			resize(in, SIZE_USUAL); /* without memory the large one serves on */
		return 0;
	}
	if (has_header(in, in->begin)) {
		size_t size = load_header(in, in->begin).size; /* <= max_message: vfu_input_next() has seen it */

		if (size > in->cap)
			return resize(in, size);
	}
	if (in->begin)
		memmove(in->buf, in->buf + in->begin, len);
	in->begin = 0;
	in->end = len;
	return 0;
}

static void take_fds(struct fd_group *g, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t nr = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < nr; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (g->nr < VFU_MAX_FDS) {
				g->fds[g->nr++] = fd;
			} else {
				base_close(fd);
				g->is_cut = true;
			}
		}
	}
	g->is_cut |= (msg->msg_flags & MSG_CTRUNC) != 0;
}

/* Does the message at a place, perhaps not all there yet, take so many descriptors? */
static bool does_take_fds(const struct vfu_input *in, size_t at, size_t nr)
{
	struct vfu_irq_set set;
	struct vfu_header h;

	if (!has_header(in, at))
		return true; /* the last one: nothing speaks against it */
	h = load_header(in, at);
	if (h.command == VFU_DMA_MAP)
		return nr == 1;
	if (h.command != VFU_DEVICE_SET_IRQS)
		return false;
	if (in->end - at < sizeof(h) + sizeof(set) || h.size < sizeof(h) + sizeof(set))
		return true;
	memcpy(&set, in->buf + at + sizeof(h), sizeof(set));
	return (set.flags & VFU_IRQ_SET_DATA_EVENTFD) && set.count == nr;
}

/* Which of the messages that begin at `from` or later own the fresh descriptors? */
static bool find_owner(const struct vfu_input *in, size_t from, size_t *ret)
{
	uint64_t at = in->begin + (uint64_t)in->skip;
	bool does_take = false, is_found = false;

	while (at < in->end) {
		if (at >= from) {
			bool takes = does_take_fds(in, at, in->fresh.nr);

			if (takes || !does_take)
				*ret = at;
			does_take |= takes;
			is_found = true;
		}
		if (!has_header(in, at) || load_header(in, at).size < sizeof(struct vfu_header))
			break;
		at += load_header(in, at).size;
	}
	return is_found;
}

ssize_t vfu_input_receive(struct vfu_input *in, int fd)
{
	union {
		char buf[CMSG_SPACE(VFU_MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control };
	size_t from;
	ssize_t n;
	int r;

	r = make_room(in);
	if (r < 0)
		return r;
	from = in->end;
	iov = (struct iovec){ .iov_base = in->buf + from, .iov_len = in->cap - from };
	do {
		msg.msg_controllen = sizeof(control);
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	in->end += (size_t)n;
	if (msg.msg_controllen || (msg.msg_flags & MSG_CTRUNC)) {
		take_fds(&in->fresh, &msg);
		if (!find_owner(in, from, &in->owner)) {
			log_debug("descriptors come with the first byte of a message: %zu came in the midst of one",
				  in->fresh.nr);
			drop_fds(&in->fresh);
		}
	}
	return n;
}

void vfu_input_release(struct vfu_input *in)
{
	if (in->held.nr)
		drop_fds(&in->held);
}

static void skip_bytes(struct vfu_input *in)
{
	size_t len = in->end - in->begin;

	if (len > in->skip)
		len = in->skip;
	in->begin += len;
	in->skip -= (uint32_t)len;
}

/* Descriptors of the message at begin, as far as they are known. */
static void hold_fds(struct vfu_input *in)
{
	if ((!in->fresh.nr && !in->fresh.is_cut) || in->owner != in->begin)
		return;
	in->held = in->fresh;
	in->fresh.nr = 0;
	in->fresh.is_cut = false;
}

static int refuse_fds(struct vfu_input *in)
{
	/* There was room, but the process has no more. */
	bool is_full = in->held.is_cut && in->held.nr < VFU_MAX_FDS;

	log_debug("a message may bring %u descriptors: it brought %zu%s", in->max_fds, in->held.nr,
		  is_full ? ", and there is no place for more" : in->held.is_cut ? " and more" : "");
	drop_fds(&in->held);
	return is_full ? -EMFILE : -E2BIG;
}

static int check_header(const struct vfu_header *h)
{
	if (h->size < sizeof(*h)) {
		log_debug("a message has at least %zu bytes: size is %u", sizeof(*h), h->size);
		return -EBADMSG;
	}
	if ((h->flags & VFU_FLAG_TYPE_MASK) > VFU_FLAG_REPLY) {
		log_debug("a message is a command or a reply: flags are 0x%x", h->flags);
		return -EBADMSG;
	}
	return 0;
}

int vfu_input_next(struct vfu_input *in, struct vfu_request *ret)
{
	struct vfu_header *h = &ret->header;
	size_t len;
	int r;

	if (in->skip)
		skip_bytes(in);
	len = in->end - in->begin;
	if (!len)
		return 0;
	hold_fds(in);
	if (len < sizeof(*h))
		return 0;
	*h = load_header(in, in->begin);
	r = check_header(h);
	if (r < 0)
		return r;
	ret->len = 0;
	ret->fds = in->held.fds;
	ret->nr_fds = 0;
	if (h->size > in->max_message) {
		log_debug("a message has at most %zu bytes: size is %u", in->max_message, h->size);
		drop_fds(&in->held);
		in->skip = h->size;
		return -E2BIG;
	}
	if (len < h->size)
		return 0;
	ret->payload = in->buf + in->begin + sizeof(*h);
	in->begin += h->size;
	if (h->size > SIZE_USUAL)
		in->nr_small_reads = 0;
	if (in->held.is_cut || in->held.nr > in->max_fds)
		return refuse_fds(in);
	ret->len = h->size - sizeof(*h);
	ret->nr_fds = in->held.nr;
	return 1;
}
