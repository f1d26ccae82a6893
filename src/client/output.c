/* SPDX-License-Identifier: MIT */
#include "client/output.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/refuse.h"
#include "client/transport.h"

#define DATA_LEN (256u << 10)
#define CHUNK 4096u
#define STACK_LEN (128u << 10)

struct client_output {
	struct client_session *session; /* owns this */
	struct client_segment *segment;
	struct trnc_output *head;
	const uint8_t *data;
	pthread_mutex_t lock; /* one writer at a time, so that text stays in order */
	uint64_t consumer;    /* ours; the shared copy is written only. Changed under lock */
	_Atomic bool is_broken;
	_Atomic bool stop;
	pthread_t thread;
};

/* As a program's own printf: all of it, or nothing when standard output is closed. */
static void write_all(const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, data, len);

		if (n >= 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			struct pollfd pfd = { .fd = STDOUT_FILENO, .events = POLLOUT };

			poll(&pfd, 1, -1);
		} else if (errno != EINTR) {
			return;
		}
	}
}

static uint64_t read_producer(struct client_output *o)
{
	return atomic_load(client_word64(&o->head->producer));
}

static void break_off_locked(struct client_output *o)
{
	struct trn_error why = { 0 };

	atomic_store(&o->is_broken, true);
	o->session->transport->drain(o->session, 0); /* when it is lost already the device says why */
	client_refuse(&why, -EPROTO, "BadHost", CLIENT_HINT_RESTART,
		      "%s: the host's place in the output ring makes no sense",
		      o->session->device->path);
	client_session_lose(o->session, &why);
}

static void drain_locked(struct client_output *o)
{
	uint64_t producer = read_producer(o);
	uint8_t chunk[CHUNK];

	if (atomic_load(&o->is_broken))
		return;
	if (producer - o->consumer > DATA_LEN) {
		break_off_locked(o);
		return;
	}
	while (o->consumer != producer) {
		size_t at = o->consumer & (DATA_LEN - 1);
		size_t len = producer - o->consumer;

		if (len > DATA_LEN - at)
			len = DATA_LEN - at;
		if (len > sizeof(chunk))
			len = sizeof(chunk);
		memcpy(chunk, o->data + at, len);
		write_all(chunk, len);
		o->consumer += len;
		atomic_store(client_word64(&o->head->consumer), o->consumer);
		client_ring_host(o->session, 0, &o->head->host_asleep);
	}
}

static void drain(struct client_output *o)
{
	pthread_mutex_lock(&o->lock);
	drain_locked(o);
	pthread_mutex_unlock(&o->lock);
}

void client_output_drain(struct client_session *s)
{
	struct client_output *o = atomic_load_explicit(&s->output, memory_order_acquire);

	if (o)
		drain(o);
}

static bool has_news(void *data)
{
	struct client_output *o = data;
	uint64_t seen;

	pthread_mutex_lock(&o->lock);
	seen = o->consumer;
	pthread_mutex_unlock(&o->lock);
	return atomic_load(&o->stop) || (read_producer(o) != seen && !atomic_load(&o->is_broken));
}

/* Text may be left over by a kernel that nobody waits for: this thread sleeps until there is some. */
static void *run_thread(void *arg)
{
	struct client_output *o = arg;
	const struct client_text text = { .head = o->head, .has_news = has_news, .data = o };

	while (!atomic_load(&o->stop)) {
		drain(o);
		o->session->transport->output_sleep(o->session, &text);
	}
	return NULL;
}

/* Signals are for the program's own threads. */
static int start_thread(struct client_output *o)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_LEN);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	r = pthread_create(&o->thread, &attr, run_thread, o);
	if (r == EINVAL) /* the program's thread-local variables are larger than that */
		r = pthread_create(&o->thread, NULL, run_thread, o);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (r == 0)
		pthread_setname_np(o->thread, "tranche-out");
	return -r;
}

static void stop_thread(struct client_output *o)
{
	atomic_store(&o->stop, true);
	o->session->transport->output_wake(o->session, o->head);
	pthread_join(o->thread, NULL);
}

static void free_output(struct client_output *o)
{
	if (o->segment)
		client_segment_destroy(o->segment, 0, 0);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

static int make_output(struct client_session *s, struct client_output **ret, struct trn_error *err)
{
	struct client_output *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return client_refuse_memory(err);
	o->session = s;
	pthread_mutex_init(&o->lock, NULL);
	r = client_segment_create(s, TRNC_SEGMENT_SERVICE, sizeof(*o->head) + DATA_LEN, false, &o->segment, err);
	if (r < 0)
		goto free_it;
	o->head = (struct trnc_output *)(void *)o->segment->ptr;
	o->data = o->segment->ptr + sizeof(*o->head);

	r = start_thread(o);
	if (r < 0) {
		client_refuse(err, r, "ThreadFailed", "raise the limit of threads",
			      "cannot start the thread that writes what kernels print: %s", strerror(-r));
		goto free_it;
	}
	r = s->transport->output_set(s, o->segment, DATA_LEN, err);
	if (r < 0) {
		stop_thread(o);
		goto free_it;
	}
	*ret = o;
	return 0;

free_it:
	free_output(o);
	return r;
}

int client_output_enable(struct client_context *c, struct trn_error *err)
{
	struct client_session *s = c->session;
	struct client_output *o;
	int r = 0;

	if (client_session_is_lost(s))
		return client_session_refuse_lost(s, err);
	pthread_mutex_lock(&s->output_lock);
	if (!atomic_load(&s->output)) {
		r = make_output(s, &o, err);
		if (r == 0)
			atomic_store_explicit(&s->output, o, memory_order_release);
	}
	pthread_mutex_unlock(&s->output_lock);
	return r;
}

void client_output_stop(struct client_session *s)
{
	struct client_output *o = atomic_load(&s->output);

	if (!o)
		return;
	drain(o);
	stop_thread(o);
	atomic_store(&s->output, NULL);
	free_output(o);
}
