/* SPDX-License-Identifier: MIT */
#include "executor/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/futex.h"
#include "base/log.h"
#include "base/range.h"

#define EARLY_MAX (1u << 20)
#define PIPE_SIZE (1 << 20) /* a hint: printing kernels wait less often */
#define CHUNK 65536u

int exec_output_init(struct exec_output *o)
{
	int ends[2];

	*o = (struct exec_output){ .pipe = -1 };
	pthread_mutex_init(&o->lock, NULL);
	o->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (o->kick_fd < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	/* Only our end must not block: printing waits for room, as on any slow terminal. */
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 || dup2(ends[1], STDOUT_FILENO) < 0) {
		int r = -errno;

		close(ends[0]);
		close(ends[1]);
		return r;
	}
	(void)fcntl(ends[0], F_SETPIPE_SZ, PIPE_SIZE);
	close(ends[1]);
	o->pipe = ends[0];
	return 0;
}

/* Waits until the ring has room. The program's numbers are only used to compute how much. */
static uint32_t wait_for_room(struct exec_output *o)
{
	_Atomic uint32_t *asleep = (_Atomic uint32_t *)&o->ring->host_asleep;
	_Atomic uint64_t *consumer = (_Atomic uint64_t *)&o->ring->consumer;

	for (;;) {
		uint64_t used = o->producer - atomic_load(consumer);

		if (used < o->data_len)
			return o->data_len - (uint32_t)used;
		atomic_store(asleep, 1);
		if (o->producer - atomic_load(consumer) < o->data_len) {
			atomic_store(asleep, 0);
			continue;
		}
		base_futex_wait(asleep, 1, -1);
	}
}

static void push_locked(struct exec_output *o, const uint8_t *text, size_t len)
{
	while (len && o->ring) {
		uint32_t n = wait_for_room(o), at = (uint32_t)(o->producer % o->data_len);

		if (n > len)
			n = (uint32_t)len;
		if (n > o->data_len - at)
			n = o->data_len - at;
		memcpy(o->data + at, text, n);
		o->producer += n;
		text += n;
		len -= n;
		atomic_store((_Atomic uint64_t *)&o->ring->producer, o->producer);
		if (o->waker)
			exec_waker_news(o->waker);
		else
			base_futex_signal((_Atomic uint32_t *)&o->ring->user_asleep);
	}
	if (!len)
		return;
	/* A client that never gives a ring wants no text: it cannot make us keep more than this. */
	if (!o->early)
		o->early = malloc(EARLY_MAX);
	if (!o->early)
		return;
	if (len > EARLY_MAX - o->early_len)
		len = EARLY_MAX - o->early_len;
	memcpy(o->early + o->early_len, text, len);
	o->early_len += len;
}

void exec_output_drain(struct exec_output *o)
{
	uint8_t chunk[CHUNK];
	ssize_t n;

	pthread_mutex_lock(&o->lock);
	if (o->ring && o->early) {
		push_locked(o, o->early, o->early_len);
		free(o->early);
		o->early = NULL;
	}
	while ((n = read(o->pipe, chunk, sizeof(chunk))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			push_locked(o, chunk, (size_t)n);
	pthread_mutex_unlock(&o->lock);
}

static void *drain_thread(void *arg)
{
	struct exec_output *o = arg;
	struct pollfd p[2] = { { .fd = o->pipe, .events = POLLIN }, { .fd = o->kick_fd, .events = POLLIN } };
	uint64_t kicks;

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		if ((p[1].revents & POLLIN) && read(o->kick_fd, &kicks, sizeof(kicks)) < 0 && errno != EAGAIN)
			break;
		/* Descriptor 1 was closed by a kernel: no more text will come. */
		if ((p[0].revents & (POLLHUP | POLLERR)) && !(p[0].revents & POLLIN))
			break;
		exec_output_drain(o);
	}
	return NULL;
}

int exec_output_start(struct exec_output *o)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, drain_thread, o);

	if (r)
		return -r;
	pthread_detach(thread);
	return 0;
}

int exec_output_set(struct exec_output *o, struct exec_window *w, const struct trnc_output_set *s,
		    struct trn_error *err)
{
	struct exec_segment *segment;
	void *addr;
	uint64_t one = 1;

	/* Once only, so that this lock is never held by somebody who waits for room. */
	if (o->segment)
		return trn_error_set(err, -EALREADY, "OutputSet", "the session has an output ring");
	if (s->reserved || s->data_len < BASE_PAGE_SIZE || (s->data_len & (s->data_len - 1)) ||
	    !base_is_page_aligned(s->offset))
		return trn_error_set(err, -EINVAL, "OutputRing", "an output ring of %u bytes at %llu is not valid",
				     s->data_len, (unsigned long long)s->offset);
	segment = exec_window_get(w, TRNC_SEGMENT_SERVICE, s->offset, sizeof(struct trnc_output) + s->data_len, &addr);
	if (!segment)
		return trn_error_set(err, -EINVAL, "OutputRing", "the output ring is in no service segment");

	pthread_mutex_lock(&o->lock);
	o->segment = segment;
	o->ring = addr;
	o->data = (uint8_t *)addr + sizeof(struct trnc_output);
	o->data_len = s->data_len;
	pthread_mutex_unlock(&o->lock);
	/* What was kept so far is moved by the thread that has time to wait for room. */
	if (write(o->kick_fd, &one, sizeof(one)) < 0)
		log_debug("output: %m");
	return 0;
}
