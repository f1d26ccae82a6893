/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/futex.h"
#include "base/memfd.h"
#include "base/range.h"
#include "base/rmtree.h"
#include "base/socket.h"
#include "tranche/wire/gate.h"

#define EVENTS_AT (TRNC_CHANNEL_RING + RING_LEN)

/* ------------------------------------------------------------- the process */

static char cache[] = "/tmp/tranche-test-XXXXXX";

static void remove_cache(void)
{
	base_rmtree(AT_FDCWD, cache);
}

/* As the device process does: a folder that is the executor's own. All executors of one test program share it. */
static void make_cache(void)
{
	static bool is_made;

	if (is_made)
		return;
	assert_non_null(mkdtemp(cache));
	setenv("POCL_CACHE_DIR", cache, 1);
	setenv("TMPDIR", cache, 1);
	setenv("TRANCHE_EXECUTOR", "1", 1);
	atexit(remove_cache);
	is_made = true;
}

/* For the next executor. */
static int given_broker = -1, given_gate = -1;

void harness_give(int broker, int gate)
{
	given_broker = broker;
	given_gate = gate;
}

/* The numbers may be each other's: first out of the way, then in their place. */
static void place_given(void)
{
	int broker = given_broker < 0 ? -1 : fcntl(given_broker, F_DUPFD, 32);
	int gate = given_gate < 0 ? -1 : fcntl(given_gate, F_DUPFD, 32);

	close(TRNC_EXEC_BROKER_FD);
	close(TRNC_EXEC_GATE_FD);
	if ((broker >= 0 && dup2(broker, TRNC_EXEC_BROKER_FD) < 0) || (gate >= 0 && dup2(gate, TRNC_EXEC_GATE_FD) < 0))
		_exit(126);
}

static void child(int sock)
{
	const char *path = getenv("TRANCHE_EXECUTOR_PATH");

	sock = fcntl(sock, F_DUPFD, 32);
	place_given();
	if (dup2(sock, TRNC_EXEC_FD) < 0)
		_exit(126);
	/* dup2 onto itself keeps the flag. */
	fcntl(TRNC_EXEC_FD, F_SETFD, 0);
	execl(path, path, (char *)NULL);
	_exit(127);
}

void harness_fork(struct harness *h)
{
	int socks[2];

	memset(h, 0, sizeof(*h));
	h->wake_fd = -1;
	h->next_id = 1;
	h->next_event = h->next_handle = 1;
	assert_non_null(getenv("TRANCHE_EXECUTOR_PATH"));
	make_cache();
	assert_int_equal(base_socket_pair(socks), 0);
	h->pid = fork();
	assert_true(h->pid >= 0);
	if (h->pid == 0)
		child(socks[1]);
	close(socks[1]);
	h->sock = socks[0];
}

/* As the device process does it: the aperture is a file that nobody else has. */
static int make_aperture(struct harness *h)
{
	int fd = memfd_create("tests", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, GUEST_APERTURE_SIZE), 0);
	h->aperture = mmap(NULL, GUEST_APERTURE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	assert_ptr_not_equal(h->aperture, MAP_FAILED);
	h->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(h->wake_fd >= 0);
	h->is_guest = true;
	return fd;
}

uint64_t harness_send_setup(struct harness *h, struct trnc_exec_setup *setup)
{
	uint64_t id;
	int aperture;

	setup->window_size = WINDOW_SIZE;
	if (setup->flags & TRNC_EXEC_FLAG_GUEST) {
		setup->window_offset = GUEST_WINDOW_AT;
		setup->shared_offset = GUEST_SHARED_AT;
		setup->shared_size = GUEST_SHARED_SIZE;
		aperture = make_aperture(h);
		h->window = mmap((void *)(uintptr_t)setup->window_base, WINDOW_SIZE, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_NORESERVE, aperture, GUEST_WINDOW_AT);
		assert_ptr_not_equal(h->window, MAP_FAILED);
		id = harness_send_fds(h, TRNC_EXEC_SETUP, setup, sizeof(*setup), (const int[]){ aperture, h->wake_fd }, 2);
		close(aperture);
		return id;
	}
	h->window = mmap((void *)(uintptr_t)setup->window_base, WINDOW_SIZE, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(h->window, MAP_FAILED);
	return harness_send(h, TRNC_EXEC_SETUP, setup, sizeof(*setup), -1);
}

void harness_spawn(struct harness *h, uint32_t host_device, uint32_t flags, uint64_t window_base)
{
	struct trnc_exec_setup setup = { .host_device = host_device, .flags = flags, .window_base = window_base };
	uint64_t id;
	int fd;

	if (getenv("TRANCHE_TEST_GUEST"))
		setup.flags |= TRNC_EXEC_FLAG_GUEST;
	harness_fork(h);
	id = harness_send_setup(h, &setup);
	assert_int_equal(harness_recv(h, id, 0, &h->ready, sizeof(h->ready), &fd), sizeof(h->ready));
	assert_true(fd >= 0);
	assert_true(base_memfd_is_safe(fd, h->ready.probe_len));
	h->probe = mmap(NULL, h->ready.probe_len, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(h->probe, MAP_FAILED);
	close(fd);
}

void harness_start(struct harness *h, uint32_t flags)
{
	harness_start_at(h, flags, 0);
}

void harness_start_at(struct harness *h, uint32_t flags, uint64_t window_base)
{
	const struct trnc_context_create c = { .context = 1, .ring_len = RING_LEN, .control_seq = 2 };

	harness_spawn(h, 0, flags, window_base);
	harness_map_segment(h, 0, SERVICE_SIZE, TRNC_SEGMENT_SERVICE);
	harness_map_segment(h, BUFFERS_AT, BUFFERS_SIZE, TRNC_SEGMENT_BUFFER);
	h->user = (void *)(h->window + TRNC_CHANNEL_USER);
	h->page = (void *)(h->window + TRNC_CHANNEL_HOST);
	h->kernel = (void *)(h->window + TRNC_CHANNEL_KERNEL);
	h->ring = h->window + TRNC_CHANNEL_RING;
	h->user->user_cpu = ~0u;
	harness_call(h, TRNC_MSG_CONTEXT_CREATE, &c, sizeof(c), 0, NULL, 0);
}

void harness_stop(struct harness *h)
{
	int status;

	close(h->sock);
	if (h->is_guest) {
		munmap(h->aperture, GUEST_APERTURE_SIZE);
		close(h->wake_fd);
	}
	munmap(h->window, WINDOW_SIZE);
	assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---------------------------------------------------------------- messages */

uint64_t harness_send(struct harness *h, uint32_t type, const void *body, size_t len, int fd)
{
	return harness_send_fds(h, type, body, len, &fd, fd >= 0);
}

uint64_t harness_send_fds(struct harness *h, uint32_t type, const void *body, size_t len, const int *fds, size_t nr_fds)
{
	_Alignas(8) uint8_t buf[TRNC_MSG_MAX];
	const struct trnc_msg msg = {
		.type = type, .len = (uint32_t)(sizeof(msg) + len),
		.id = type == TRNC_EXEC_SEGMENT_MAP ? 0 : h->next_id++,
	};

	memcpy(buf, &msg, sizeof(msg));
	if (len)
		memcpy(buf + sizeof(msg), body, len);
	assert_int_equal(base_send(h->sock, buf, msg.len, fds, nr_fds), 0);
	return msg.id;
}

size_t harness_recv(struct harness *h, uint64_t id, uint32_t status, void *body, size_t cap, int *ret_fd)
{
	_Alignas(8) uint8_t buf[TRNC_MSG_MAX];
	struct pollfd p = { .fd = h->sock, .events = POLLIN };
	struct trnc_msg msg;
	size_t nr_fds = 1;
	int fd = -1;
	ssize_t n;

	assert_int_equal(poll(&p, 1, (int)(TIMEOUT_NS / 1000000)), 1);
	n = base_recv(h->sock, buf, sizeof(buf), &fd, &nr_fds);
	assert_true(n >= (ssize_t)sizeof(msg));
	memcpy(&msg, buf, sizeof(msg));
	if (msg.status && msg.status != status)
		print_message("refused: %s\n", ((struct trnc_error_body *)(void *)(buf + sizeof(msg)))->text);
	assert_int_equal(msg.id, id);
	assert_int_equal(msg.len, n);
	assert_int_equal(msg.status, status);
	n -= (ssize_t)sizeof(msg);
	if (body)
		memcpy(body, buf + sizeof(msg), (size_t)n < cap ? (size_t)n : cap);
	if (ret_fd)
		*ret_fd = nr_fds ? fd : -1;
	return (size_t)n;
}

size_t harness_call(struct harness *h, uint32_t type, const void *body, size_t len, uint32_t status, void *reply,
		    size_t cap)
{
	uint64_t id = harness_send(h, type, body, len, -1);

	return harness_recv(h, id, status, reply, cap, NULL);
}

void harness_map_segment(struct harness *h, uint64_t offset, uint64_t size, uint32_t kind)
{
	struct trnc_exec_segment_map m = {
		.offset = offset, .size = size, .control_seq = ++h->control_seq, .kind = kind,
	};
	int fd;

	if (h->is_guest) {
		harness_send(h, TRNC_EXEC_SEGMENT_MAP, &m, sizeof(m), -1);
		return;
	}
	fd = base_memfd_create("tests", size);
	assert_true(fd >= 0);
	assert_ptr_not_equal(mmap(h->window + offset, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0),
			     MAP_FAILED);
	harness_send(h, TRNC_EXEC_SEGMENT_MAP, &m, sizeof(m), fd);
	close(fd);
}

/* ------------------------------------------------------------------ events */

uint64_t harness_event(struct harness *h)
{
	assert_true(h->next_event < TRNC_EVENT_BLOCK_SLOTS);
	return TRNC_HANDLE(h->next_event++, 1);
}

uint64_t harness_handle(struct harness *h)
{
	return TRNC_HANDLE(h->next_handle++, 1);
}

struct trnc_event_slot *harness_slot(struct harness *h, uint64_t event)
{
	return (struct trnc_event_slot *)(void *)(h->window + EVENTS_AT) + (uint32_t)event;
}

int32_t harness_status(struct harness *h, uint64_t event)
{
	uint64_t state = atomic_load((_Atomic uint64_t *)&harness_slot(h, event)->state);

	/* Not there yet: as if queued. */
	return state >> 32 == event >> 32 ? (int32_t)(uint32_t)state : 3;
}

/* As a guest's kernel does: until more commands are complete, or there are other news.  The rest is the device process's part. */
static void sleep_in_guest(struct harness *h, uint64_t commands, uint64_t attention)
{
	_Atomic uint32_t *asleep = (_Atomic uint32_t *)&h->kernel->kernel_asleep;
	struct pollfd p = { .fd = h->wake_fd, .events = POLLIN };
	uint64_t count;

	atomic_store((_Atomic uint64_t *)&h->kernel->wake_at, commands + 1);
	atomic_store(asleep, TRNC_KERNEL_ASLEEP);
	if (atomic_load((_Atomic uint64_t *)&h->page->commands) > commands ||
	    atomic_load((_Atomic uint64_t *)&h->page->attention) != attention)
		return;
	poll(&p, 1, (int)(TIMEOUT_NS / 1000000));
	while (read(h->wake_fd, &count, sizeof(count)) > 0) {
	}
	atomic_exchange(asleep, TRNC_KERNEL_AWAKE);
}

/* Sleeps until something was published; false at the time limit. */
static bool sleep_until(struct harness *h, bool (*done)(struct harness *h, uint64_t a, uint64_t b), uint64_t a,
			uint64_t b)
{
	_Atomic uint32_t *asleep = (_Atomic uint32_t *)&h->user->user_asleep;
	uint64_t start = base_clock_ns();

	for (;;) {
		uint64_t commands = atomic_load((_Atomic uint64_t *)&h->page->commands);
		uint64_t attention = atomic_load((_Atomic uint64_t *)&h->page->attention);

		if (done(h, a, b))
			return true;
		if (h->is_guest) {
			sleep_in_guest(h, commands, attention);
		} else {
			atomic_store(asleep, 1);
			if (done(h, a, b))
				return true;
			base_futex_wait(asleep, 1, (int64_t)TIMEOUT_NS);
		}
		if (base_clock_ns() - start >= TIMEOUT_NS)
			return done(h, a, b);
	}
}

static bool is_over(struct harness *h, uint64_t event, uint64_t unused)
{
	(void)unused;
	return harness_status(h, event) <= 0;
}

int32_t harness_wait(struct harness *h, uint64_t event)
{
	assert_true(sleep_until(h, is_over, event, 0));
	return harness_status(h, event);
}

static bool has_seq(struct harness *h, uint64_t event, uint64_t seq)
{
	return atomic_load((_Atomic uint64_t *)&harness_slot(h, event)->seq) >= seq;
}

void harness_wait_seq(struct harness *h, uint64_t queue_event, uint64_t seq)
{
	assert_true(sleep_until(h, has_seq, queue_event, seq));
}

/* Refusals are counted without a wake-up. */
void harness_wait_refused(struct harness *h, uint64_t refused)
{
	uint64_t start = base_clock_ns();

	while (atomic_load((_Atomic uint64_t *)&h->page->refused) < refused) {
		assert_true(base_clock_ns() - start < TIMEOUT_NS);
		usleep(100);
	}
	assert_int_equal(h->page->refused, refused);
}

static bool is_lost(struct harness *h, uint64_t reason, uint64_t unused)
{
	(void)reason;
	(void)unused;
	return atomic_load((_Atomic uint32_t *)&h->page->lost) != 0;
}

void harness_wait_lost(struct harness *h, uint32_t reason)
{
	assert_true(sleep_until(h, is_lost, reason, 0));
	assert_int_equal(h->page->lost, reason);
}

/* ----------------------------------------------------------------- records */

void harness_put(struct harness *h, const void *data, size_t len)
{
	assert_true(h->rec_len + len <= sizeof(h->rec));
	if (len)
		memcpy(h->rec + h->rec_len, data, len);
	h->rec_len += (uint32_t)len;
}

static bool has_room(struct harness *h, uint64_t len, uint64_t unused)
{
	(void)unused;
	return h->producer + len - atomic_load((_Atomic uint64_t *)&h->page->consumer) <= RING_LEN ||
	       atomic_load((_Atomic uint32_t *)&h->page->lost);
}

static void wait_for_room(struct harness *h, uint32_t len)
{
	if (has_room(h, len, 0))
		return;
	harness_publish(h);
	assert_true(sleep_until(h, has_room, len, 0));
}

void harness_stage(struct harness *h, uint16_t type)
{
	struct trnc_rec *rec = (void *)h->rec;
	uint32_t room = (uint32_t)(RING_LEN - h->producer % RING_LEN);

	rec->type = type;
	rec->len = h->rec_len;
	if (room < h->rec_len) {
		const uint32_t pad[2] = { TRNC_REC_PAD, room };

		wait_for_room(h, room);
		memcpy(h->ring + h->producer % RING_LEN, pad, sizeof(pad));
		h->producer += room;
	}
	wait_for_room(h, h->rec_len);
	memcpy(h->ring + h->producer % RING_LEN, h->rec, h->rec_len);
	h->producer += h->rec_len;
	h->rec_len = 0;
}

void harness_publish(struct harness *h)
{
	atomic_store((_Atomic uint64_t *)&h->user->producer, h->producer);
	base_futex_signal((_Atomic uint32_t *)&h->user->host_asleep);
}

void harness_wait_read(struct harness *h)
{
	uint64_t start = base_clock_ns();

	while (atomic_load((_Atomic uint64_t *)&h->page->consumer) != h->producer) {
		assert_true(base_clock_ns() - start < TIMEOUT_NS);
		usleep(100);
	}
}

void harness_submit(struct harness *h, uint16_t type)
{
	harness_stage(h, type);
	harness_publish(h);
}

void harness_queue(struct harness *h, struct queue *q, uint64_t properties)
{
	struct trnc_rec_queue_create r = { .properties = properties };

	*q = (struct queue){ .handle = harness_handle(h), .event = harness_event(h) };
	r.queue = q->handle;
	r.event = q->event;
	harness_put(h, &r, sizeof(r));
	harness_submit(h, TRNC_REC_QUEUE_CREATE);
}

uint64_t harness_buffer(struct harness *h, uint64_t offset, uint64_t size)
{
	struct trnc_rec_buffer_create r = {
		.rec.control_seq = h->control_seq, .buffer = harness_handle(h), .flags = 1, .offset = offset, .size = size,
	};

	harness_put(h, &r, sizeof(r));
	harness_submit(h, TRNC_REC_BUFFER_CREATE);
	return r.buffer;
}

struct trnc_cmd harness_head(struct harness *h, struct queue *q, uint64_t event, uint32_t nr_waits)
{
	(void)h;
	return (struct trnc_cmd){
		.queue = q->handle, .seq = ++q->seq, .event = event, .queued_ns = base_clock_raw_ns(),
		.nr_waits = nr_waits,
	};
}

void harness_marker(struct harness *h, struct queue *q, uint16_t type, uint64_t event, uint32_t nr_waits,
		    const uint64_t *waits)
{
	struct trnc_cmd cmd = harness_head(h, q, event, nr_waits);

	harness_put(h, &cmd, sizeof(cmd));
	harness_put(h, waits, nr_waits * sizeof(*waits));
	harness_submit(h, type);
}

void harness_fill(struct harness *h, struct queue *q, uint64_t buffer, uint64_t size, uint8_t value, uint64_t event,
		  uint32_t nr_waits, const uint64_t *waits)
{
	struct trnc_cmd_fill f = {
		.cmd = harness_head(h, q, event, nr_waits), .buffer = buffer, .size = size, .pattern_size = 1,
		.pattern = { value },
	};

	harness_put(h, &f, sizeof(f));
	harness_put(h, waits, nr_waits * sizeof(*waits));
	harness_submit(h, TRNC_REC_FILL);
}

void harness_user_event(struct harness *h, uint64_t event)
{
	struct trnc_rec_object r = { .handle = event };

	harness_put(h, &r, sizeof(r));
	harness_submit(h, TRNC_REC_USER_EVENT_CREATE);
}

void harness_set_event(struct harness *h, uint64_t event, int32_t status)
{
	struct trnc_rec_user_event_set r = { .event = event, .status = status };

	harness_put(h, &r, sizeof(r));
	harness_submit(h, TRNC_REC_USER_EVENT_SET);
}

/* ---------------------------------------------------------------- programs */

uint64_t harness_build_blob(struct harness *h, uint64_t program, const struct base_blob *request)
{
	struct trnc_program_build b = {
		.context = 1, .program = program, .request = BLOBS_AT, .request_len = request->len, .reply = REPLY_AT,
		.reply_cap = BLOB_ROOM, .control_seq = h->control_seq,
	};
	struct trnc_blob_reply reply;

	assert_false(request->failed);
	assert_true(request->len <= BLOB_ROOM);
	memcpy(h->window + BLOBS_AT, request->data, request->len);
	assert_int_equal(harness_call(h, TRNC_MSG_PROGRAM_BUILD, &b, sizeof(b), 0, &reply, sizeof(reply)),
			 sizeof(reply));
	assert_true(reply.len <= BLOB_ROOM);
	return reply.len;
}

uint64_t harness_build(struct harness *h, uint64_t program, const char *source, const char *options)
{
	struct base_blob b = { 0 };
	uint64_t len;

	base_blob_put_u32(&b, TRNC_TAG_OP, TRNC_OP_BUILD);
	base_blob_put(&b, TRNC_TAG_SOURCE, source, strlen(source));
	base_blob_put_str(&b, TRNC_TAG_OPTIONS, options);
	len = harness_build_blob(h, program, &b);
	base_blob_finish(&b);
	return len;
}

bool harness_find(struct harness *h, uint64_t len, uint32_t tag, struct base_blob_item *ret)
{
	struct base_blob_reader r;

	base_blob_reader_init(&r, h->window + REPLY_AT, len);
	while (base_blob_next(&r, ret))
		if (ret->tag == tag)
			return true;
	assert_false(r.malformed);
	return false;
}

uint32_t harness_find_u32(struct harness *h, uint64_t len, uint32_t tag)
{
	struct base_blob_item it;
	uint32_t v;

	assert_true(harness_find(h, len, tag, &it));
	assert_true(base_blob_u32(&it, &v));
	return v;
}

uint64_t harness_kernel(struct harness *h, uint64_t program, uint32_t index)
{
	struct trnc_rec_kernel_create r = { .kernel = harness_handle(h), .program = program, .index = index };

	harness_put(h, &r, sizeof(r));
	harness_submit(h, TRNC_REC_KERNEL_CREATE);
	return r.kernel;
}

void harness_launch(struct harness *h, struct queue *q, const struct launch *l, bool stage)
{
	struct trnc_cmd_ndrange n = {
		.cmd = harness_head(h, q, l->event, l->nr_waits), .kernel = l->kernel, .dims = 1,
		.flags = l->local ? TRNC_NDRANGE_LOCAL : 0, .global = { l->global, 1, 1 },
		.local = { l->local, 1, 1 },
	};
	static const uint8_t zeros[8];

	n.cmd.nr_args = l->nr_args;
	harness_put(h, &n, sizeof(n));
	harness_put(h, l->waits, l->nr_waits * sizeof(*l->waits));
	for (uint32_t i = 0; i < l->nr_args; i++) {
		const struct trnc_arg a = { .index = i, .kind = l->args[i].kind, .size = l->args[i].size };

		harness_put(h, &a, sizeof(a));
		if (a.kind == TRNC_ARG_LOCAL)
			continue;
		harness_put(h, l->args[i].data, a.size);
		harness_put(h, zeros, (8 - a.size % 8) % 8);
	}
	if (stage)
		harness_stage(h, TRNC_REC_NDRANGE);
	else
		harness_submit(h, TRNC_REC_NDRANGE);
}
