/* SPDX-License-Identifier: MIT */
#include "fake_device.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/futex.h"
#include "base/memfd.h"
#include "base/range.h"
#include "base/socket.h"
#include "unit.h"

static struct fake *running;

void fake_fail(struct fake *f, const char *fmt, ...)
{
	va_list ap;

	if (f->failure[0])
		return;
	va_start(ap, fmt);
	vsnprintf(f->failure, sizeof(f->failure), fmt, ap);
	va_end(ap);
	fprintf(stderr, "fake device: %s\n", f->failure);
}

/* ------------------------------------------------------------- replies */

static void send_reply(struct fake *f, const struct trnc_msg *req, uint32_t status, const void *body, size_t len,
		       int fd)
{
	struct {
		struct trnc_msg head;
		uint8_t body[TRNC_MSG_MAX];
	} msg = { .head = { .type = req->type | TRNC_MSG_REPLY, .id = req->id, .status = status } };
	enum fake_nonsense nonsense = FAKE_SANE;
	size_t body_len = len;
	int small = -1;

	if (atomic_load(&f->nonsense_type) == req->type)
		nonsense = atomic_load(&f->nonsense);
	if (nonsense == FAKE_SHORT_REPLY && len >= 8)
		len -= 8;
	if (nonsense == FAKE_LONG_REPLY)
		len += 8;
	if (nonsense == FAKE_WRONG_ID)
		msg.head.id += 1000;
	if (nonsense == FAKE_WRONG_TYPE)
		msg.head.type++;
	if (nonsense == FAKE_BAD_STATUS)
		msg.head.status = 5; /* without the body of a refusal */
	if (nonsense == FAKE_NO_FD)
		fd = -1;
	if (nonsense == FAKE_UNSEALED_FD)
		fd = small = memfd_create("unsealed", MFD_CLOEXEC);
	if (nonsense == FAKE_SMALL_FD)
		fd = small = base_memfd_create("small", 4096);
	if (len)
		memcpy(msg.body, body, len < body_len ? len : body_len);
	msg.head.len = (uint32_t)(sizeof(msg.head) + len);
	if (nonsense == FAKE_WRONG_LEN)
		msg.head.len += 8;
	if (f->conn >= 0)
		base_send(f->conn, &msg, nonsense == FAKE_RUNT ? 8 : sizeof(msg.head) + len, &fd, fd >= 0);
	base_close(small);
}

static void refuse(struct fake *f, const struct trnc_msg *req, int error, const char *text)
{
	struct trnc_error_body body = { .name = "Refused", .hint = "try less" };

	snprintf(body.text, sizeof(body.text), "%s", text);
	send_reply(f, req, (uint32_t)error, &body, sizeof(body), -1);
}

/* ------------------------------------------------------------ requests */

static void handle_hello(struct fake *f, const struct trnc_msg *req)
{
	struct trnc_hello_reply r = {
		.magic = TRNC_MAGIC,
		.version = 1,
		.version_oldest = 1,
		.features = TRNC_FEATURE_SVM,
		.uuid = { 1, 2, 3 },
		.window_size = f->window,
	};
	enum fake_nonsense n = atomic_load(&f->nonsense);

	if (n == FAKE_BAD_MAGIC)
		r.magic = 1;
	if (n == FAKE_BAD_VERSION)
		r.version = r.version_oldest = 7;
	if (n == FAKE_BAD_WINDOW)
		r.window_size = 4097;
	send_reply(f, req, 0, &r, sizeof(r), -1);
}

static void handle_session(struct fake *f, const struct trnc_msg *req, const struct trnc_session_create *c)
{
	struct trnc_session_reply r = {
		.session = atomic_fetch_add(&f->nr_sessions, 1) + 1,
		.quota = f->quota,
		.service = f->service,
		.flags = TRNC_SESSION_COHERENT | (f->has_svm ? TRNC_SESSION_SVM : 0),
		.probe_len = strlen(f->probe),
	};
	int fd = base_memfd_create("probe", 4096);

	atomic_store(&f->features, c->features);
	atomic_store(&f->window_base, c->window_base);
	if (pwrite(fd, f->probe, strlen(f->probe), 0) < 0)
		fake_fail(f, "probe: %s", strerror(errno));
	send_reply(f, req, 0, &r, sizeof(r), fd);
	base_close(fd);
}

void *fake_at(struct fake *f, uint64_t offset, uint64_t len, uint32_t kind)
{
	for (int i = 0; i < FAKE_SEGMENTS; i++) {
		struct fake_segment *s = &f->segments[i];

		if (s->size && s->kind == kind && offset >= s->offset &&
		    base_range_is_within(offset - s->offset, len, s->size))
			return s->ptr + (offset - s->offset);
	}
	fake_fail(f, "no segment at %llx", (unsigned long long)offset);
	return NULL;
}

static struct fake_segment *find_segment(struct fake *f, uint64_t offset)
{
	for (int i = 0; i < FAKE_SEGMENTS; i++)
		if (f->segments[i].size && f->segments[i].offset == offset)
			return &f->segments[i];
	return NULL;
}

static void handle_segment_create(struct fake *f, const struct trnc_msg *req, const struct trnc_segment_create *c)
{
	uint64_t limit = c->kind == TRNC_SEGMENT_BUFFER ? f->quota : f->service;
	struct fake_segment *free_one = NULL;
	struct trnc_segment_reply r;

	if (c->kind < 1 || c->kind > 2 || c->flags || !c->size || c->size % 4096 || c->offset % 4096 ||
	    !base_range_is_within(c->offset, c->size, f->window))
		fake_fail(f, "bad SEGMENT_CREATE");
	for (int i = 0; i < FAKE_SEGMENTS; i++) {
		struct fake_segment *s = &f->segments[i];

		if (!s->size && !free_one)
			free_one = s;
		if (base_range_overlaps(c->offset, c->size, s->offset, s->size))
			fake_fail(f, "segments overlap at %llx", (unsigned long long)c->offset);
	}
	if (!free_one || c->size > limit - atomic_load(&f->used[c->kind - 1])) {
		refuse(f, req, ENOSPC, "the quota is used up");
		return;
	}
	*free_one = (struct fake_segment){ .offset = c->offset, .size = c->size, .kind = c->kind };
	free_one->fd = base_memfd_create("segment", c->size);
	free_one->ptr = mmap(NULL, c->size, PROT_READ | PROT_WRITE, MAP_SHARED, free_one->fd, 0);
	atomic_fetch_add(&f->nr_segments, 1);
	r.used = atomic_fetch_add(&f->used[c->kind - 1], c->size) + c->size;
	r.control_seq = ++f->control_seq;
	send_reply(f, req, 0, &r, sizeof(r), free_one->fd);
}

static void drop_segment(struct fake *f, struct fake_segment *s)
{
	munmap(s->ptr, s->size);
	base_close(s->fd);
	atomic_fetch_sub(&f->used[s->kind - 1], s->size);
	atomic_fetch_sub(&f->nr_segments, 1);
	*s = (struct fake_segment){ 0 };
}

static bool is_ready(struct fake *f, const struct fake_segment *s)
{
	return !s->destroy_context || atomic_load(&f->contexts[s->destroy_context].consumer) >= s->destroy_pos;
}

/* Answers the SEGMENT_DESTROYs that may be. Return: how many have to wait. */
static int settle_segments(struct fake *f)
{
	int nr = 0;

	for (int i = 0; i < FAKE_SEGMENTS; i++) {
		struct fake_segment *s = &f->segments[i];
		struct trnc_msg req = { .type = TRNC_MSG_SEGMENT_DESTROY, .id = s->destroy_id };
		uint32_t kind = s->kind;
		struct trnc_segment_reply r = { .control_seq = f->control_seq };

		if (!s->destroy_id)
			continue;
		if (atomic_load(&f->hold_segments) || !is_ready(f, s)) {
			nr++;
			continue;
		}
		munmap(s->ptr, s->size);
		if (base_memfd_retire(s->fd, s->size) < 0)
			atomic_fetch_add(&f->nr_still_mapped, 1);
		s->ptr = mmap(NULL, s->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		drop_segment(f, s);
		r.used = atomic_load(&f->used[kind - 1]);
		send_reply(f, &req, 0, &r, sizeof(r), -1);
	}
	return nr;
}

static void handle_segment_destroy(struct fake *f, const struct trnc_msg *req, const struct trnc_segment_destroy *d)
{
	struct fake_segment *s = find_segment(f, d->offset);

	if (!s || s->destroy_id || d->reserved || d->context > TRNC_MAX_CONTEXTS) {
		fake_fail(f, "bad SEGMENT_DESTROY at %llx", (unsigned long long)d->offset);
		return;
	}
	s->destroy_id = req->id;
	s->destroy_context = d->context;
	s->destroy_pos = d->after_pos;
}

static void handle_context_create(struct fake *f, const struct trnc_msg *req, const struct trnc_context_create *d)
{
	struct fake_context *c = d->context && d->context <= TRNC_MAX_CONTEXTS ? &f->contexts[d->context] : NULL;
	uint8_t *channel = fake_at(f, d->channel, TRNC_CHANNEL_RING + d->ring_len + TRNC_EVENT_BLOCK_SLOTS * 64ull,
				   TRNC_SEGMENT_SERVICE);

	if (!c || c->id || !channel || d->flags || d->control_seq > f->control_seq) {
		fake_fail(f, "bad CONTEXT_CREATE %u", d->context);
		return;
	}
	memset(c, 0, sizeof(*c));
	c->fake = f;
	c->id = d->context;
	c->channel = channel;
	c->ring_len = d->ring_len;
	c->nr_blocks = 1;
	atomic_store(&c->blocks[0], (struct trnc_event_slot *)(void *)(channel + TRNC_CHANNEL_RING + d->ring_len));
	pthread_create(&c->thread, NULL, fake_run_context, c);
	send_reply(f, req, 0, NULL, 0, -1);
}

static void end_context(struct fake_context *c)
{
	struct trnc_user_page *user = (struct trnc_user_page *)(void *)c->channel;

	if (!c->id)
		return;
	atomic_store(&c->stop, true);
	atomic_store((_Atomic uint32_t *)&user->host_asleep, 0);
	base_futex_wake((_Atomic uint32_t *)&user->host_asleep);
	/* The thread may want the lock, to hold something back. */
	pthread_mutex_unlock(&c->fake->lock);
	pthread_join(c->thread, NULL);
	pthread_mutex_lock(&c->fake->lock);
	free(c->held);
	c->held = NULL;
	c->nr_held = c->held_cap = 0;
	c->id = 0;
}

static void handle_block_add(struct fake *f, const struct trnc_msg *req, const struct trnc_event_block_add *d)
{
	struct fake_context *c = &f->contexts[d->context];

	if (!c->id || d->block != c->nr_blocks) {
		fake_fail(f, "bad EVENT_BLOCK_ADD %u", d->block);
		return;
	}
	atomic_store(&c->blocks[d->block], fake_at(f, d->offset, TRNC_EVENT_BLOCK_SLOTS * 64ull, TRNC_SEGMENT_SERVICE));
	c->nr_blocks++;
	send_reply(f, req, 0, NULL, 0, -1);
}

/* Writes the last result if it fits, and tells its length. */
static struct trnc_blob_reply give_result(struct fake *f, uint64_t offset, uint64_t cap)
{
	void *to = fake_at(f, offset, cap, TRNC_SEGMENT_SERVICE);

	if (to && f->last_result_len <= cap)
		memcpy(to, f->last_result, f->last_result_len);
	return (struct trnc_blob_reply){ .len = f->last_result_len };
}

static void handle_build(struct fake *f, const struct trnc_msg *req, const struct trnc_program_build *d)
{
	void *request = fake_at(f, d->request, d->request_len, TRNC_SEGMENT_SERVICE);
	uint64_t len = d->request_len + atomic_load(&f->reply_extra);
	struct trnc_blob_reply body;

	free(f->last_result);
	f->last_result = calloc(1, len);
	f->last_result_len = len;
	if (request)
		memcpy(f->last_result, request, d->request_len);
	body = give_result(f, d->reply, d->reply_cap);
	if (!atomic_load(&f->shuffle)) {
		send_reply(f, req, 0, &body, sizeof(body), -1);
		return;
	}
	f->collected[f->nr_collected++] = (struct fake_reply){ .head = *req, .body = body };
	if (f->nr_collected < atomic_load(&f->shuffle))
		return;
	while (f->nr_collected) {
		struct fake_reply *r = &f->collected[--f->nr_collected];

		send_reply(f, &r->head, 0, &r->body, sizeof(r->body), -1);
	}
}

static void handle_query(struct fake *f, const struct trnc_msg *req, const struct trnc_program_query *d)
{
	struct trnc_blob_reply body = give_result(f, d->reply, d->reply_cap);

	send_reply(f, req, 0, &body, sizeof(body), -1);
}

static void handle_output(struct fake *f, const struct trnc_msg *req, const struct trnc_output_set *d)
{
	f->output = fake_at(f, d->offset, sizeof(struct trnc_output) + d->data_len, TRNC_SEGMENT_SERVICE);
	f->output_len = d->data_len;
	send_reply(f, req, 0, NULL, 0, -1);
}

static void handle_memory(struct fake *f, const struct trnc_msg *req)
{
	struct trnc_memory_reply r = {
		.quota = f->quota,
		.used = atomic_load(&f->used[0]),
		.session_used = atomic_load(&f->used[0]),
		.service_used = atomic_load(&f->used[1]),
	};

	send_reply(f, req, 0, &r, sizeof(r), -1);
}

static void handle_request(struct fake *f, const struct trnc_msg *req, const void *body)
{
	if (req->type < FAKE_MSG_TYPES)
		atomic_fetch_add(&f->nr_requests[req->type], 1);
	switch (req->type) {
	case TRNC_MSG_HELLO:
		handle_hello(f, req);
		break;
	case TRNC_MSG_SESSION_CREATE:
		handle_session(f, req, body);
		break;
	case TRNC_MSG_SEGMENT_CREATE:
		handle_segment_create(f, req, body);
		break;
	case TRNC_MSG_SEGMENT_DESTROY:
		handle_segment_destroy(f, req, body);
		break;
	case TRNC_MSG_CONTEXT_CREATE:
		handle_context_create(f, req, body);
		break;
	case TRNC_MSG_CONTEXT_DESTROY:
		end_context(&f->contexts[((const struct trnc_context_destroy *)body)->context]);
		send_reply(f, req, 0, NULL, 0, -1);
		break;
	case TRNC_MSG_EVENT_BLOCK_ADD:
		handle_block_add(f, req, body);
		break;
	case TRNC_MSG_OUTPUT_SET:
		handle_output(f, req, body);
		break;
	case TRNC_MSG_PROGRAM_BUILD:
		handle_build(f, req, body);
		break;
	case TRNC_MSG_PROGRAM_QUERY:
		handle_query(f, req, body);
		break;
	case TRNC_MSG_MEMORY_QUERY:
		handle_memory(f, req);
		break;
	default:
		fake_fail(f, "request of type %u", req->type);
	}
}

/* --------------------------------------------------------------- serving */

static void end_connection(struct fake *f)
{
	f->conn = base_close(f->conn);
	for (int i = 1; i < FAKE_CONTEXTS; i++)
		end_context(&f->contexts[i]);
	for (int i = 0; i < FAKE_SEGMENTS; i++)
		if (f->segments[i].size)
			drop_segment(f, &f->segments[i]);
	f->output = NULL;
	f->control_seq = 0;
	f->nr_collected = 0;
	free(f->last_result);
	f->last_result = NULL;
	atomic_store(&f->drop, false);
}

static bool receive(struct fake *f)
{
	union {
		struct trnc_msg head;
		uint8_t bytes[TRNC_MSG_MAX];
	} msg;
	ssize_t n = base_recv(f->conn, &msg, sizeof(msg), NULL, NULL);

	if (n == -EAGAIN)
		return true;
	if (n <= 0)
		return false;
	if ((size_t)n < sizeof(msg.head) || msg.head.len != (size_t)n ||
	    !msg.head.id || msg.head.flags || msg.head.status)
		fake_fail(f, "malformed request");
	else
		handle_request(f, &msg.head, msg.bytes + sizeof(msg.head));
	return true;
}

static void *serve(void *arg)
{
	struct fake *f = arg;
	int waiting = 0;

	while (!atomic_load(&f->stop)) {
		struct pollfd pfds[3] = {
			{ .fd = f->wake, .events = POLLIN },
			{ .fd = f->conn >= 0 ? -1 : f->listener, .events = POLLIN },
			{ .fd = f->conn, .events = POLLIN },
		};
		uint64_t n;

		poll(pfds, 3, waiting ? 1 : -1);
		if (pfds[0].revents && read(f->wake, &n, sizeof(n)) < 0)
			fake_fail(f, "eventfd: %s", strerror(errno));
		pthread_mutex_lock(&f->lock);
		if (pfds[1].revents)
			f->conn = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (atomic_load(&f->drop) || (pfds[2].revents && !receive(f)))
			end_connection(f);
		waiting = settle_segments(f);
		pthread_mutex_unlock(&f->lock);
	}
	return NULL;
}

static void wake_server(struct fake *f)
{
	uint64_t one = 1;

	if (write(f->wake, &one, sizeof(one)) < 0)
		fake_fail(f, "eventfd: %s", strerror(errno));
}

void fake_drop(struct fake *f)
{
	atomic_store(&f->drop, true);
	wake_server(f);
}

void fake_farewell(struct fake *f, const char *text)
{
	struct {
		struct trnc_msg head;
		struct trnc_error_body body;
	} msg = { .head = { .type = TRNC_MSG_SESSION_LOST, .len = sizeof(msg) }, .body = { .name = "Lost" } };

	snprintf(msg.body.text, sizeof(msg.body.text), "%s", text);
	pthread_mutex_lock(&f->lock);
	base_send(f->conn, &msg, sizeof(msg), NULL, 0);
	pthread_mutex_unlock(&f->lock);
	fake_drop(f);
}

void fake_lose_contexts(struct fake *f, enum trnc_lost reason)
{
	pthread_mutex_lock(&f->lock);
	for (int i = 1; i < FAKE_CONTEXTS; i++) {
		struct fake_context *c = &f->contexts[i];
		struct trnc_user_page *user = (struct trnc_user_page *)(void *)c->channel;
		struct trnc_host_page *host = (struct trnc_host_page *)(void *)(c->channel + TRNC_CHANNEL_HOST);

		if (!c->id)
			continue;
		atomic_store((_Atomic uint32_t *)&host->lost, (uint32_t)reason);
		base_futex_signal((_Atomic uint32_t *)&user->user_asleep);
	}
	pthread_mutex_unlock(&f->lock);
}

/* Waits for room, as a host does. */
void fake_print(struct fake *f, const char *text)
{
	struct trnc_output *o = f->output;
	uint8_t *data = (uint8_t *)(o + 1);
	_Atomic uint64_t *producer = (_Atomic uint64_t *)&o->producer, *consumer = (_Atomic uint64_t *)&o->consumer;

	for (; *text; text++) {
		while (atomic_load(producer) - atomic_load(consumer) == f->output_len) {
			_Atomic uint32_t *flag = (_Atomic uint32_t *)&o->host_asleep;

			base_futex_signal((_Atomic uint32_t *)&o->user_asleep);
			atomic_exchange(flag, 1);
			if (atomic_load(producer) - atomic_load(consumer) == f->output_len)
				base_futex_wait(flag, 1, -1);
		}
		data[atomic_load(producer) % f->output_len] = (uint8_t)*text;
		atomic_fetch_add(producer, 1);
	}
	base_futex_signal((_Atomic uint32_t *)&o->user_asleep);
}

/* ------------------------------------------------------------------ life */

struct fake *fake_start(void)
{
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->quota = 64 << 20;
	f->service = 160 << 20; /* channels of all contexts fit */
	f->window = 1 << 30;
	f->probe = "what the device answers";
	f->conn = -1;
	f->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	strcpy(f->folder, "/tmp/fake_device.XXXXXX");
	/* The client looks for devices once in a process: all fakes of a test listen at the same place. */
	if (getenv("TRANCHE_DEVICE")) {
		snprintf(f->path, sizeof(f->path), "%s", getenv("TRANCHE_DEVICE"));
		strcpy(f->folder, f->path);
		*strrchr(f->folder, '/') = '\0';
		assert_int_equal(mkdir(f->folder, 0700), 0);
	} else {
		assert_non_null(mkdtemp(f->folder));
		snprintf(f->path, sizeof(f->path), "%s/device", f->folder);
		setenv("TRANCHE_DEVICE", f->path, 1);
	}
	f->listener = base_socket_listen(f->path, NULL);
	assert_true(f->listener >= 0);
	pthread_mutex_init(&f->lock, NULL);
	pthread_create(&f->thread, NULL, serve, f);
	running = f;
	return f;
}

void fake_stop(struct fake *f)
{
	char failure[sizeof(f->failure)];

	atomic_store(&f->stop, true);
	wake_server(f);
	pthread_join(f->thread, NULL);
	pthread_mutex_lock(&f->lock);
	end_connection(f);
	pthread_mutex_unlock(&f->lock);
	base_close(f->listener);
	base_close(f->wake);
	unlink(f->path);
	rmdir(f->folder);
	pthread_mutex_destroy(&f->lock);
	memcpy(failure, f->failure, sizeof(failure));
	free(f);
	running = NULL;
	assert_string_equal(failure, "");
}

struct client_device *fake_device(void)
{
	struct client_device **devices;

	assert_int_equal(client_devices_find(&devices), 1);
	assert_string_equal(client_device_path(devices[0]), running->path);
	return devices[0];
}

struct client_session *fake_connect(void)
{
	struct trn_error err = { 0 };
	struct client_session *s = NULL;
	int r = client_session_get(fake_device(), &s, &err);

	if (r < 0)
		fprintf(stderr, "%s\n", err.text);
	assert_int_equal(r, 0);
	return s;
}

struct client_context *fake_context_new(void)
{
	struct trn_error err = { 0 };
	struct client_session *s = fake_connect();
	struct client_context *c = NULL;
	int r = client_context_create(s, &c, &err);

	if (r < 0)
		fprintf(stderr, "%s\n", err.text);
	assert_int_equal(r, 0);
	client_session_put(s);
	return c;
}

void fake_context_free(struct client_context *c)
{
	client_context_destroy(c);
}
