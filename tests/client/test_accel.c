/* SPDX-License-Identifier: MIT */
/* The client through a guest's driver, which is functions of this test. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/futex.h"
#include "fake_driver.h"
#include "tranche/wire/compute_pci.h"
#include "unit.h"

static void make_queue(struct client_context *c, struct client_queue *q)
{
	struct trnc_rec_queue_create *rec;
	void *room;

	*q = (struct client_queue){ .handle = client_handle_new(c, CLIENT_QUEUE), .event = client_event_new(c, NULL) };
	assert_int_equal(client_rec_begin(c, TRNC_REC_QUEUE_CREATE, sizeof(*rec), &room), 0);
	rec = room;
	rec->queue = q->handle;
	rec->event = q->event;
	client_rec_end(c);
}

static uint64_t mark(struct client_context *c, struct client_queue *q, uint64_t event)
{
	const struct client_cmd cmd = {
		.type = TRNC_REC_MARKER,
		.body_len = sizeof(struct trnc_cmd),
		.queue = q,
		.event = event,
	};
	uint64_t seq;
	void *rec;

	assert_int_equal(client_cmd_begin(c, &cmd, &rec, NULL, &seq), 0);
	client_rec_end(c);
	return seq;
}

/* Until somebody sleeps in the driver; then some ms more. */
static void wait_asleep(struct fake_driver *f, uint32_t nr)
{
	for (int i = 0; i < 30000 && atomic_load(&f->nr_asleep) < nr; i++)
		poll(NULL, 0, 1);
	assert_true(atomic_load(&f->nr_asleep) >= nr);
	poll(NULL, 0, 5);
}

/* --------------------------------------------------------------- session */

static void refuse(int code, const char *word)
{
	struct client_session *s = NULL;
	struct trn_error err = { 0 };

	assert_int_equal(client_session_get(fake_driver_device(), &s, &err), code);
	if (!strstr(err.text, word))
		fail_msg("'%s' does not tell of '%s'", err.text, word);
	assert_true(err.hint[0]);
}

static void test_refusals(void **state)
{
	struct fake_driver *f = fake_driver_start();

	f->open_error = EACCES;
	refuse(-EACCES, "may not open");
	f->open_error = 0;
	f->name = "other";
	refuse(-EPROTO, "not Tranche's");
	f->name = "tranchee";
	refuse(-EPROTO, "not Tranche's");
	f->name = "tranche";
	f->version = TRNC_PCI_VERSION + 1;
	refuse(-EPROTO, "version");
	f->version = TRNC_PCI_VERSION;
	f->fake.window += 1;
	refuse(-EPROTO, "window");
	f->fake.window -= 1;
	f->session_error = EBUSY;
	refuse(-EBUSY, "no more room");
	f->session_error = ENOSPC;
	refuse(-ENOSPC, "aperture");
	f->session_error = 0;
	f->window_granted = f->fake.window * 2;
	refuse(-EPROTO, "SESSION_CREATE");
	f->window_granted = 0;
	atomic_store(&f->is_gone, true);
	refuse(-EPROTO, "not Tranche's");
	fake_driver_stop(f);
}

static void test_session(void **state)
{
	struct fake_driver *f = fake_driver_start();
	struct client_context *c;
	struct client_session *s;
	struct trnc_memory_reply memory;
	size_t len;
	const void *blob;

	f->window_granted = 256 << 20; /* less than was offered */
	c = fake_driver_context();
	s = client_context_session(c);
	assert_int_equal(client_device_probe(fake_driver_device(), &blob, &len, NULL), 0);
	assert_int_equal(len, strlen(f->fake.probe));
	assert_memory_equal(blob, f->fake.probe, len);
	assert_int_equal(client_device_quota(fake_driver_device()), f->fake.quota);
	assert_int_equal(client_device_uuid(fake_driver_device())[2], 6);
	assert_true(client_session_is_coherent(s));
	assert_true(client_session_has_svm(s));
	assert_int_equal(atomic_load(&f->window_base), (uintptr_t)s->window);
	assert_true(client_context_has_address(c, s->window + (256 << 20) - 1));
	assert_false(client_context_has_address(c, s->window + (256 << 20)));
	assert_int_equal(client_session_memory(s, &memory, NULL), 0);
	assert_int_equal(memory.session_used, 0);
	assert_true(memory.service_used > 0);
	client_context_destroy(c);
	fake_driver_stop(f);
}

/* ---------------------------------------------------------------- memory */

static void test_memory(void **state)
{
	struct fake_driver *f = fake_driver_start();
	struct client_context *c = fake_driver_context();
	struct client_session *s = client_context_session(c);
	struct client_mem large, small, staged;
	struct trn_error err = { 0 };

	assert_int_equal(client_mem_alloc(c, 20 << 20, &large, NULL), 0);
	assert_ptr_equal(large.ptr, s->window + large.offset);
	assert_int_equal(client_mem_alloc(c, 100, &small, NULL), 0);
	assert_int_equal(client_staging_alloc(c, 5000, &staged, NULL), 0);
	memset(large.ptr, 1, large.size);
	memset(small.ptr, 2, small.size);
	memset(staged.ptr, 3, staged.size);
	assert_int_equal(f->mem[large.offset + large.size - 1], 1);
	assert_int_equal(f->mem[small.offset], 2);
	assert_int_equal(f->mem[staged.offset + 4999], 3);
	assert_int_equal(client_mem_alloc(c, 60 << 20, &large, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "quota"));
	client_staging_free(c, &staged);
	client_mem_free(c, &small);
	client_context_destroy(c);
	assert_int_equal(f->used[0], 0);
	assert_int_equal(f->used[1], 0);
	fake_driver_stop(f);
}

static void *give_later(void *driver)
{
	struct fake_driver *f = driver;

	while (!atomic_load(&f->nr_destroyed))
		poll(NULL, 0, 1);
	poll(NULL, 0, 50);
	pthread_mutex_lock(&f->fake.lock);
	f->used[0] -= 40 << 20;
	pthread_mutex_unlock(&f->fake.lock);
	atomic_store(&f->keep_destroyed, false);
	return NULL;
}

/* What was given back counts until the host has cleaned it: an allocation waits for that, and not in vain. */
static void test_comes_back(void **state)
{
	struct fake_driver *f = fake_driver_start();
	struct client_context *c = fake_driver_context();
	struct client_mem mem;
	struct trn_error err = { 0 };
	pthread_t thread;
	uint64_t start, took = UINT64_MAX;

	atomic_store(&f->keep_destroyed, true);
	assert_int_equal(client_mem_alloc(c, 40 << 20, &mem, NULL), 0);
	pthread_create(&thread, NULL, give_later, f);
	client_mem_free(c, &mem);
	assert_int_equal(client_mem_alloc(c, 40 << 20, &mem, NULL), 0);
	pthread_join(thread, NULL);
	/* Nothing is under way: refused at once; a busy machine may be slow once. */
	for (int i = 0; i < 3 && took >= 500000000; i++) {
		start = base_clock_ns();
		assert_int_equal(client_mem_alloc(c, 40 << 20, &mem, &err), -ENOSPC);
		took = base_clock_ns() - start;
	}
	assert_true(took < 500000000);
	client_context_destroy(c);
	fake_driver_stop(f);
}

/* Does a forked child have the address? */
static bool is_in_child(const void *p)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		unsigned char vec;

		_exit(mincore((void *)((uintptr_t)p & ~4095ul), 4096, &vec) == 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void test_children(void **state)
{
	struct fake_driver *f = fake_driver_start();
	struct client_context *c = fake_driver_context();
	struct client_queue q;
	struct client_mem mem;
	int status;
	pid_t pid;

	assert_int_equal(client_mem_alloc(c, 20 << 20, &mem, NULL), 0);
	*(uint32_t *)mem.ptr = 77;
	assert_false(is_in_child(mem.ptr));
	client_mem_show(&mem);
	assert_true(is_in_child(mem.ptr));
	assert_int_equal(*(uint32_t *)mem.ptr, 77);

	/* The channel is not inherited: whatever a child does with what it has must not touch it. */
	make_queue(c, &q);
	madvise(c->user, 4096, MADV_DONTFORK);
	madvise(c->host, 4096, MADV_DONTFORK);
	madvise(c->ring, c->ring_len + 4096u * sizeof(struct trnc_event_slot), MADV_DONTFORK);
	pid = fork();
	if (pid == 0) {
		struct trnc_rec_object *rec;
		void *room;

		if (client_event_status(c, q.event) != 3 || client_queue_is_done(c, &q, 1) || !client_context_is_lost(c) ||
		    client_context_is_quiet(c) || client_wait_read(c, 1) || client_queue_wait(c, &q, 1) != -ESHUTDOWN ||
		    client_rec_begin(c, TRNC_REC_QUEUE_DESTROY, sizeof(*rec), &room) != -ESHUTDOWN ||
		    client_event_slot(c, q.event)->end_ns)
			_exit(1);
		client_wake(c);
		client_mem_free(c, &mem);
		client_context_destroy(c);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	client_context_destroy(c);
	fake_driver_stop(f);
}

/* --------------------------------------------------------------- waiting */

struct waiter {
	struct client_context *c;
	struct client_queue *q;
	uint64_t seq;
	int result;
};

static void *wait_for_queue(void *arg)
{
	struct waiter *w = arg;

	w->result = client_queue_wait(w->c, w->q, w->seq);
	return NULL;
}

/* A command is counted after its number is told. */
static void wait_counted(struct client_context *c, uint64_t commands)
{
	for (int i = 0; i < 30000 && atomic_load((_Atomic uint64_t *)&c->host->commands) < commands; i++)
		poll(NULL, 0, 1);
	assert_int_equal(atomic_load((_Atomic uint64_t *)&c->host->commands), commands);
}

/* Commands end one by one: a wait for the last one sleeps once. */
static void test_one_wakeup(void **state)
{
	struct fake_driver *f = fake_driver_start();
	struct client_context *c = fake_driver_context();
	struct client_queue old, q;
	struct waiter w = { .c = c, .q = &q };
	pthread_t thread;

	/* What others completed before counts, too. */
	make_queue(c, &old);
	for (int i = 0; i < 7; i++)
		w.seq = mark(c, &old, 0);
	assert_int_equal(client_queue_wait(c, &old, w.seq), 0);
	make_queue(c, &q);
	for (int round = 0; round < 3; round++) {
		uint64_t before;

		wait_counted(c, 7 + (uint64_t)round * 33);
		atomic_store(&f->fake.hold_commands, true);
		for (int i = 0; i < 32; i++)
			w.seq = mark(c, &q, 0);
		before = atomic_load(&f->nr_waits);
		pthread_create(&thread, NULL, wait_for_queue, &w);
		wait_asleep(f, 1);
		for (int i = 0; i < 32; i++) {
			while (fake_driver_release(f, 1) == 0)
				poll(NULL, 0, 1);
			poll(NULL, 0, 1);
		}
		pthread_join(thread, NULL);
		assert_int_equal(w.result, 0);
		assert_int_equal(atomic_load(&f->nr_waits) - before, 1);
		atomic_store(&f->fake.hold_commands, false);
		/* Commands of another queue between the rounds. */
		assert_int_equal(client_queue_wait(c, &old, mark(c, &old, 0)), 0);
	}
	client_context_destroy(c);
	fake_driver_stop(f);
}

/* Two queues whose commands end in turns: nobody sleeps too long. */
static void test_two_queues(void **state)
{
	struct fake_driver *f = fake_driver_start();
	struct client_context *c = fake_driver_context();
	struct client_queue q[2];
	struct waiter w[2];
	pthread_t threads[2];

	make_queue(c, &q[0]);
	make_queue(c, &q[1]);
	for (int round = 0; round < 5; round++) {
		atomic_store(&f->fake.hold_commands, true);
		for (int i = 0; i < 20; i++)
			for (int k = 0; k < 2; k++)
				w[k] = (struct waiter){ .c = c, .q = &q[k], .seq = mark(c, &q[k], 0) };
		w[0].seq -= 15;
		for (int k = 0; k < 2; k++)
			pthread_create(&threads[k], NULL, wait_for_queue, &w[k]);
		wait_asleep(f, 2);
		for (int i = 0; i < 40; i++)
			while (fake_driver_release(f, 1) == 0)
				poll(NULL, 0, 1);
		for (int k = 0; k < 2; k++) {
			pthread_join(threads[k], NULL);
			assert_int_equal(w[k].result, 0);
		}
		atomic_store(&f->fake.hold_commands, false);
	}
	client_context_destroy(c);
	fake_driver_stop(f);
}

struct flag {
	struct client_context *c;
	_Atomic bool is_set;
	int result;
};

static bool is_set(void *data)
{
	return atomic_load(&((struct flag *)data)->is_set);
}

static uint64_t never_by_commands(void *data)
{
	return UINT64_MAX;
}

static void *wait_for_flag(void *arg)
{
	struct flag *flag = arg;
	const struct client_condition cond = { .done = is_set, .target = never_by_commands, .data = flag };

	flag->result = client_wait_asleep(flag->c, &cond, -1);
	return NULL;
}

static void test_kicks(void **state)
{
	struct fake_driver *f = fake_driver_start();
	struct client_context *c = fake_driver_context();
	struct flag flag = { .c = c };
	const struct client_condition cond = { .done = is_set, .data = &flag };
	uint64_t wakes;
	pthread_t thread;

	client_wake(c); /* nobody sleeps: no call */
	assert_int_equal(atomic_load(&f->nr_wakes), 0);
	for (int i = 0; i < 200; i++) {
		atomic_store(&flag.is_set, false);
		pthread_create(&thread, NULL, wait_for_flag, &flag);
		if (i % 2)
			wait_asleep(f, 1);
		atomic_store(&flag.is_set, true);
		client_wake(c);
		pthread_join(thread, NULL);
		assert_int_equal(flag.result, 0);
	}
	wakes = atomic_load(&f->nr_wakes);
	assert_true(wakes >= 100 && wakes <= 200);
	atomic_store(&flag.is_set, false);
	assert_int_equal(client_wait_for(c, &cond, (int64_t)base_clock_ns() + 2000000), -ETIMEDOUT);
	client_context_destroy(c);
	fake_driver_stop(f);
}

/* A full ring: the host reads on when the doorbell rings, and tells of room by attention. */
static void test_full_ring(void **state)
{
	struct fake_driver *f = fake_driver_start();
	struct client_context *c = fake_driver_context();
	struct client_queue q;
	uint64_t seq = 0;

	make_queue(c, &q);
	for (int i = 0; i < 120000; i++)
		seq = mark(c, &q, 0);
	assert_int_equal(client_queue_wait(c, &q, seq), 0);
	assert_int_equal(atomic_load(&f->fake.nr_commands), 120000);
	for (int i = 0; i < 30000 && !atomic_load((_Atomic uint32_t *)&c->user->host_asleep); i++)
		poll(NULL, 0, 1);
	assert_int_equal(client_queue_wait(c, &q, mark(c, &q, 0)), 0);
	assert_true(atomic_load(&f->nr_doorbells) > 0);
	client_context_destroy(c);
	fake_driver_stop(f);
}

static void test_many_events(void **state)
{
	enum { NR = 5000 }; /* more than one block has */
	struct fake_driver *f = fake_driver_start();
	struct client_context *c = fake_driver_context();
	static uint64_t events[NR];
	struct client_queue q;
	int32_t status = 5;

	make_queue(c, &q);
	for (int i = 0; i < NR; i++) {
		events[i] = client_event_new(c, NULL);
		assert_true(events[i]);
		mark(c, &q, events[i]);
	}
	assert_int_equal(client_event_wait(c, events[NR - 1], 0, &q, NR, &status), 0);
	assert_int_equal(status, 0);
	for (int i = 0; i < NR; i++)
		client_event_free(c, events[i]);
	client_context_destroy(c);
	assert_int_equal(f->used[1], 0);
	fake_driver_stop(f);
}

/* ------------------------------------------------------------------ loss */

static void test_loss(void **state)
{
	struct fake_driver *f = fake_driver_start();
	struct client_context *c = fake_driver_context();
	struct client_queue q;
	struct waiter w = { .c = c, .q = &q };
	struct trn_error err = { 0 };
	struct client_mem mem;
	pthread_t thread;

	make_queue(c, &q);
	atomic_store(&f->fake.hold_commands, true);
	w.seq = mark(c, &q, 0);
	pthread_create(&thread, NULL, wait_for_queue, &w);
	wait_asleep(f, 1);
	fake_driver_lose(f);
	pthread_join(thread, NULL);
	assert_int_equal(w.result, -ESHUTDOWN);
	assert_true(client_context_is_lost(c));
	assert_true(client_session_is_lost(client_context_session(c)));
	assert_int_equal(client_mem_alloc(c, 4096, &mem, &err), -ESHUTDOWN);
	assert_non_null(strstr(err.text, "killed by signal 11"));
	client_context_destroy(c);
	fake_driver_stop(f);
}

/* Nobody waits: it is noticed by what the channel reads as, and a producer that is behind no one blames the host. */
static void test_loss_unseen(void **state)
{
	struct fake_driver *f = fake_driver_start();
	struct client_context *c = fake_driver_context();
	struct client_queue q;
	struct trn_error err = { 0 };

	make_queue(c, &q);
	assert_int_equal(client_queue_wait(c, &q, mark(c, &q, 0)), 0);
	assert_false(client_context_is_lost(c));
	fake_driver_lose(f);
	assert_true(client_context_is_lost(c));
	assert_int_equal(client_context_blame_host(c, "a test says so"), -ESHUTDOWN);
	assert_int_equal(client_context_refuse_lost(c, &err), -ESHUTDOWN);
	assert_non_null(strstr(err.text, "killed by signal 11"));
	client_context_destroy(c);
	fake_driver_stop(f);

	/* The device itself. */
	f = fake_driver_start();
	c = fake_driver_context();
	atomic_store(&f->is_gone, true);
	memset(&err, 0, sizeof(err));
	assert_int_equal(client_program_query(c, 1, TRNC_QUERY_LOG, NULL, NULL, &err), -ESHUTDOWN);
	assert_non_null(strstr(err.text, "gone"));
	client_context_destroy(c);
	fake_driver_stop(f);
}

/* -------------------------------------------------------------- programs */

static void test_build(void **state)
{
	struct fake_driver *f = fake_driver_start();
	struct client_context *c = fake_driver_context();
	const struct client_text_piece text = { .text = "#include \"/dev/null\"\n#include \"" __FILE__ "\"", .len = 0 };
	struct base_blob request = { 0 };
	struct trn_error err = { 0 };
	struct client_mem before;
	void *reply;
	size_t len;

	/* So that blobs do not begin where their objects do. */
	assert_int_equal(client_staging_alloc(c, 10000, &before, NULL), 0);
	client_program_add_options(c, &request, &text, 1, "-w");
	assert_int_equal(client_program_build(c, 1, &request, &reply, &len, NULL), 0);
	assert_int_equal(len, request.len);
	assert_memory_equal(reply, request.data, len);
	free(reply);
	atomic_store(&f->build_error, EINVAL);
	assert_int_equal(client_program_build(c, 1, &request, &reply, &len, &err), -EINVAL);
	assert_non_null(strstr(err.text, "PROGRAM_BUILD"));
	base_blob_finish(&request);
	client_staging_free(c, &before);
	client_context_destroy(c);
	fake_driver_stop(f);
}

/* --------------------------------------------------------------- output */

/* Standard output is a pipe during the test. */
static int catch_output(int *ret_saved)
{
	int ends[2];

	fflush(stdout);
	assert_int_equal(pipe(ends), 0);
	*ret_saved = dup(STDOUT_FILENO);
	dup2(ends[1], STDOUT_FILENO);
	close(ends[1]);
	return ends[0];
}

static void expect_output(int fd, const char *text)
{
	char got[64] = "";
	size_t have = 0;

	while (have < strlen(text)) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&pfd, 1, 10000) != 1)
			break;
		n = read(fd, got + have, sizeof(got) - 1 - have);
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	assert_string_equal(got, text);
}

static void test_output(void **state)
{
	struct fake_driver *f = fake_driver_start();
	struct client_context *c = fake_driver_context(), *other;
	int saved, fd = catch_output(&saved);

	assert_int_equal(client_output_enable(c, NULL), 0);
	wait_asleep(f, 1);
	fake_driver_print(f, "hello");
	expect_output(fd, "hello");
	/* The thread sleeps on a context: when it goes, on another. */
	assert_int_equal(client_context_create(client_context_session(c), &other, NULL), 0);
	wait_asleep(f, 1);
	client_context_destroy(c);
	wait_asleep(f, 1);
	fake_driver_print(f, ", world");
	expect_output(fd, ", world");
	client_context_destroy(other);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(fd);
	fake_driver_stop(f);
}

/* -------------------------------------------------------------- sharing */

static void test_no_sharing(void **state)
{
	struct fake_driver *f = fake_driver_start();
	struct client_context *c = fake_driver_context();
	struct trn_error err = { 0 };
	struct client_mem mem;

	assert_int_equal(atomic_load(&f->flags) & DRM_TRANCHE_SESSION_SHARING, 0);
	assert_int_equal(client_mem_alloc_exportable(c, 4096, &mem, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.hint, "TRANCHE_SHARING"));
	assert_int_equal(client_mem_import(c, 0, &mem, NULL), -EPERM);
	client_context_destroy(c);
	fake_driver_stop(f);
}

static void test_sharing(void **state)
{
	struct fake_driver *f = fake_driver_start();
	struct client_mem mem, again[2], plain;
	struct trn_error err = { 0 };
	struct client_context *c;
	int fd;

	client_devices_allow_sharing();
	c = fake_driver_context();
	assert_int_not_equal(atomic_load(&f->flags) & DRM_TRANCHE_SESSION_SHARING, 0);
	assert_int_equal(client_mem_alloc(c, 4096, &plain, NULL), 0);
	assert_int_equal(client_mem_export(&plain, &err), -EPERM);
	assert_int_equal(client_mem_alloc_exportable(c, 5000, &mem, NULL), 0);
	assert_true(mem.offset >= TRNC_SHARED_WINDOW);
	fd = client_mem_export(&mem, NULL);
	assert_true(fd >= 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(client_mem_import(c, fd, &again[i], NULL), 0);
		assert_int_equal(again[i].size, 8192);
		assert_int_equal(again[i].offset, mem.offset);
	}
	*(uint32_t *)mem.ptr = 4711;
	assert_int_equal(*(uint32_t *)again[0].ptr, 4711);
	/* One handle for all three: it ends with the last one. */
	client_mem_free(c, &mem);
	client_mem_free(c, &again[0]);
	assert_int_equal(atomic_load(&f->nr_destroyed), 0);
	assert_int_equal(*(uint32_t *)again[1].ptr, 4711);
	client_mem_free(c, &again[1]);
	assert_int_equal(atomic_load(&f->nr_destroyed), 1);
	close(fd);
	memset(&err, 0, sizeof(err));
	fd = memfd_create("foreign", MFD_CLOEXEC);
	assert_int_equal(client_mem_import(c, fd, &mem, &err), -EINVAL);
	assert_non_null(strstr(err.text, "no memory of this device"));
	close(fd);
	client_mem_free(c, &plain);
	client_context_destroy(c);
	fake_driver_stop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_comes_back),
		cmocka_unit_test(test_children),
		cmocka_unit_test(test_one_wakeup),
		cmocka_unit_test(test_two_queues),
		cmocka_unit_test(test_kicks),
		cmocka_unit_test(test_full_ring),
		cmocka_unit_test(test_many_events),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_loss_unseen),
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_no_sharing),
		cmocka_unit_test(test_sharing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
