/* SPDX-License-Identifier: MIT */
/* The time gate: this program plays tranche-parent, too, which opens and closes it. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/futex.h"
#include "base/memfd.h"
#include "harness.h"
#include "tranche/wire/gate.h"
#include "tranche/wire/parent.h"

#define OUT_OF_ORDER 1u
#define GATE_SIZE 4096u
#define SECOND_AT (5ull << 20)

static const char source[] =
	"kernel void add(global int *a, int n) { a[0] += n; }\n"
	/* a[0] counts, a[1] is what it was when somebody came out of order */
	"kernel void next(global int *a, int n) { if (a[0] == n) a[0] = n + 1; else a[1] = n; }\n"
	"kernel void spin(global int *a, int n) { int v = 1; for (int i = 0; i < n; i++) v = v * 1664525 + i; a[0] = v; }\n";

static struct harness h;
static uint64_t program, kernels[3];
static uint64_t next_buffer;

enum { ADD, NEXT, SPIN };

/* ---------------------------------------------------------- the parent end */

static struct trnc_gate *gate;
static int gate_fd = -1, broker = -1;
static pthread_t broker_thread;
static _Atomic uint32_t nr_messages;

static bool read_all(int fd, void *data, size_t len)
{
	return recv(fd, data, len, MSG_WAITALL) == (ssize_t)len;
}

/* Compiles nothing, and counts. */
static void *serve_broker(void *arg)
{
	struct trnc_msg m;

	(void)arg;
	while (read_all(broker, &m, sizeof(m))) {
		struct {
			struct trnc_msg head;
			struct trnc_error_body body;
		} no = { .head = { .type = m.type | TRNC_MSG_REPLY, .len = sizeof(no), .id = m.id, .status = 95 } };
		uint8_t byte;

		if (m.type == TRNC_BROKER_GATE && m.len == sizeof(m))
			atomic_fetch_add(&nr_messages, 1);
		for (uint32_t i = sizeof(m); i < m.len; i++)
			read_all(broker, &byte, 1);
		if (m.type == TRNC_BROKER_COMPILE)
			(void)!send(broker, &no, sizeof(no), MSG_NOSIGNAL);
	}
	return NULL;
}

static void change(uint32_t by)
{
	atomic_fetch_add((_Atomic uint32_t *)&gate->grant, by);
	base_futex_wake((_Atomic uint32_t *)&gate->grant);
}

static bool is_open(void)
{
	return atomic_load((_Atomic uint32_t *)&gate->grant) % 2;
}

static void set_open(bool open)
{
	if (is_open() != open)
		change(1);
}

static void set_contended(bool contended, uint64_t limit_ns)
{
	atomic_store((_Atomic uint64_t *)&gate->limit_ns, limit_ns);
	atomic_store((_Atomic uint32_t *)&gate->flags, contended ? TRNC_GATE_CONTENDED : 0);
}

static uint32_t wants(void)
{
	return atomic_load((_Atomic uint32_t *)&gate->wants);
}

static void eventually_wants(uint32_t value)
{
	uint64_t start = base_clock_ns();

	while (wants() != value) {
		assert_true(base_clock_ns() - start < TIMEOUT_NS);
		usleep(200);
	}
}

static void eventually_messages(uint32_t value)
{
	uint64_t start = base_clock_ns();

	while (atomic_load(&nr_messages) < value) {
		assert_true(base_clock_ns() - start < TIMEOUT_NS);
		usleep(200);
	}
	usleep(5000);
	assert_int_equal(atomic_load(&nr_messages), value);
}

/* ------------------------------------------------------------- life */

static void begin(bool open)
{
	int socks[2];

	next_buffer = BUFFERS_AT;
	gate_fd = base_memfd_create("gate", GATE_SIZE);
	assert_true(gate_fd >= 0);
	gate = mmap(NULL, GATE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, gate_fd, 0);
	assert_ptr_not_equal(gate, MAP_FAILED);
	gate->grant = 1;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks), 0);
	broker = socks[0];
	atomic_store(&nr_messages, 0);
	assert_int_equal(pthread_create(&broker_thread, NULL, serve_broker, NULL), 0);
	harness_give(socks[1], gate_fd);
	harness_start(&h, 0);
	close(socks[1]);
	program = harness_handle(&h);
	assert_int_equal(harness_find_u32(&h, harness_build(&h, program, source, ""), TRNC_TAG_STATUS), 0);
	for (uint32_t i = 0; i < 3; i++)
		kernels[i] = harness_kernel(&h, program, i);
	set_open(open);
}

static void finish_parent(void)
{
	shutdown(broker, SHUT_RDWR);
	pthread_join(broker_thread, NULL);
	close(broker);
	munmap(gate, GATE_SIZE);
	close(gate_fd);
	harness_give(-1, -1);
}

static void end(void)
{
	harness_stop(&h);
	finish_parent();
}

/* ------------------------------------------------------------- commands */

static volatile int32_t *new_buffer(uint64_t *ret)
{
	uint64_t at = next_buffer;

	next_buffer += 4096;
	*ret = harness_buffer(&h, at, 4096);
	return (volatile int32_t *)(void *)(h.window + at);
}

static void launch(struct queue *q, int kernel, uint64_t buffer, int32_t n, uint64_t event, uint32_t nr_waits,
		   const uint64_t *waits)
{
	struct launch l = {
		.kernel = kernels[kernel], .global = 1, .event = event, .nr_waits = nr_waits, .waits = waits, .nr_args = 2,
		.args = { { TRNC_ARG_BUFFER, 8, &buffer }, { TRNC_ARG_VALUE, 4, &n } },
	};

	harness_launch(&h, q, &l, false);
}

static uint64_t done(const struct queue *q)
{
	return atomic_load((_Atomic uint64_t *)&harness_slot(&h, q->event)->seq);
}

/* Long enough for a command that is not held to run. */
static void give_time(void)
{
	usleep(50000);
}

static uint64_t nr_begun(void)
{
	return atomic_load((_Atomic uint64_t *)&gate->begun);
}

/* The number of completed commands, p may be NULL, when it does not change any more: all that were begun are over. */
static uint64_t wait_still(const struct queue *q, const struct queue *p)
{
	uint64_t before, now = UINT64_MAX, start = base_clock_ns();

	do {
		assert_true(base_clock_ns() - start < TIMEOUT_NS);
		before = now;
		usleep(100000);
		now = done(q) + (p ? done(p) : 0);
	} while (now != before || now != nr_begun());
	return now;
}

/* ---------------------------------------------------------------- tests */

static void test_closed_at_first(void **state)
{
	uint64_t buffer, event, start;
	volatile int32_t *data;
	struct queue q;

	(void)state;
	begin(false);
	data = new_buffer(&buffer);
	event = harness_event(&h);
	harness_queue(&h, &q, 0);
	give_time();
	assert_int_equal(wants(), 0);
	launch(&q, ADD, buffer, 5, 0, 0, NULL);
	launch(&q, ADD, buffer, 6, event, 0, NULL);
	eventually_wants(1);
	give_time();
	assert_int_equal(harness_status(&h, event), 3);
	assert_int_equal(data[0], 0);
	assert_int_equal(done(&q), 0);
	/* Once, however many commands come. */
	eventually_messages(1);
	set_open(true);
	assert_int_equal(harness_wait(&h, event), 0);
	harness_wait_seq(&h, q.event, q.seq);
	assert_int_equal(data[0], 11);
	eventually_wants(0);
	/* Nobody asked. */
	eventually_messages(1);
	/* Told of when the executor has nothing else to do. */
	start = base_clock_ns();
	while (nr_begun() < 2) {
		assert_true(base_clock_ns() - start < TIMEOUT_NS);
		usleep(200);
	}
	end();
}

static void test_copies_wait_too(void **state)
{
	uint64_t buffer, event;
	volatile uint8_t *data;
	struct queue q;

	(void)state;
	begin(false);
	data = (volatile uint8_t *)new_buffer(&buffer);
	event = harness_event(&h);
	harness_queue(&h, &q, 0);
	harness_fill(&h, &q, buffer, 64, 7, event, 0, NULL);
	give_time();
	assert_int_equal(data[0], 0);
	set_open(true);
	assert_int_equal(harness_wait(&h, event), 0);
	assert_int_equal(data[63], 7);
	end();
}

static void test_order_only_goes_on(void **state)
{
	struct queue q, p;
	uint64_t event, other;

	(void)state;
	begin(false);
	event = harness_event(&h);
	other = harness_event(&h);
	harness_queue(&h, &q, 0);
	harness_queue(&h, &p, OUT_OF_ORDER);
	harness_marker(&h, &q, TRNC_REC_MARKER, event, 0, NULL);
	harness_marker(&h, &p, TRNC_REC_BARRIER, other, 0, NULL);
	assert_int_equal(harness_wait(&h, event), 0);
	assert_int_equal(harness_wait(&h, other), 0);
	assert_int_equal(wants(), 0);
	eventually_messages(0);
	end();
}

/* Closes and opens in the middle of a stream that is published faster than it runs. */
static void test_stream(void **state)
{
	const int32_t nr = 10000;
	uint64_t buffer, at, last;
	volatile int32_t *data;
	struct queue q;

	(void)state;
	begin(true);
	data = new_buffer(&buffer);
	last = harness_event(&h);
	harness_queue(&h, &q, 0);
	for (int32_t i = 0; i < nr; i++) {
		launch(&q, NEXT, buffer, i, i == nr - 1 ? last : 0, 0, NULL);
		if (i == 3000)
			set_open(false);
		if (i == 6000) {
			at = wait_still(&q, NULL);
			assert_true(at <= 6000);
			assert_int_equal(data[0], at);
			set_open(true);
			set_open(false);
		}
	}
	at = wait_still(&q, NULL);
	assert_true(at < (uint64_t)nr);
	assert_int_equal(data[0], at);
	assert_int_equal(harness_status(&h, last), 3);
	set_open(true);
	assert_int_equal(harness_wait(&h, last), 0);
	harness_wait_seq(&h, q.event, q.seq);
	assert_int_equal(data[0], nr);
	assert_int_equal(data[1], 0);
	assert_int_equal(h.page->refused, 0);
	end();
}

/* More than is held: the ring is not read on, and nothing is refused or lost. */
static void test_more_than_enough(void **state)
{
	const int32_t nr = 40000;
	volatile int32_t *data;
	uint64_t buffer;
	struct queue q;
	int32_t i = 0;

	(void)state;
	begin(false);
	data = new_buffer(&buffer);
	harness_queue(&h, &q, 0);
	/* The ring's length is 256 KiB, a record's some 150 bytes: enough for what is held and a ring of more. */
	for (; i < 17000; i++)
		launch(&q, NEXT, buffer, i, 0, 0, NULL);
	give_time();
	assert_int_equal(done(&q), 0);
	assert_int_not_equal(h.producer, atomic_load((_Atomic uint64_t *)&h.page->consumer));
	set_open(true);
	for (; i < nr; i++)
		launch(&q, NEXT, buffer, i, 0, 0, NULL);
	harness_wait_seq(&h, q.event, q.seq);
	assert_int_equal(data[0], nr);
	assert_int_equal(data[1], 0);
	assert_int_equal(h.page->refused, 0);
	assert_int_equal(h.page->lost, 0);
	end();
}

static void test_user_events_while_closed(void **state)
{
	uint64_t buffer, u, e1, e2;
	volatile int32_t *data;
	struct queue q, p;

	(void)state;
	begin(false);
	data = new_buffer(&buffer);
	u = harness_event(&h);
	e1 = harness_event(&h);
	e2 = harness_event(&h);
	harness_user_event(&h, u);
	harness_queue(&h, &q, 0);
	harness_queue(&h, &p, OUT_OF_ORDER);
	launch(&q, ADD, buffer, 1, e1, 1, &u);
	give_time();
	/* What waits for the program wants nothing yet. */
	assert_int_equal(wants(), 0);
	harness_set_event(&h, u, 0);
	eventually_wants(1);
	eventually_messages(1);
	/* Behind a command that waits for the gate. */
	launch(&p, ADD, buffer, 10, e2, 1, &e1);
	give_time();
	assert_int_equal(data[0], 0);
	set_open(true);
	assert_int_equal(harness_wait(&h, e2), 0);
	assert_int_equal(data[0], 11);
	end();
}

static void test_failures_while_closed(void **state)
{
	uint64_t buffer, u, event;
	struct queue q;

	(void)state;
	begin(false);
	new_buffer(&buffer);
	u = harness_event(&h);
	event = harness_event(&h);
	harness_user_event(&h, u);
	harness_queue(&h, &q, 0);
	launch(&q, ADD, buffer, 1, event, 1, &u);
	harness_set_event(&h, u, -5);
	assert_int_equal(harness_wait(&h, event), -14);
	assert_int_equal(wants(), 0);
	end();
}

static void test_kill_while_closed(void **state)
{
	uint64_t buffer;
	struct queue q;
	int status;

	(void)state;
	begin(false);
	new_buffer(&buffer);
	harness_queue(&h, &q, 0);
	for (int i = 0; i < 1000; i++)
		launch(&q, ADD, buffer, 1, 0, 0, NULL);
	eventually_wants(1);
	kill(h.pid, SIGKILL);
	assert_int_equal(waitpid(h.pid, &status, 0), h.pid);
	close(h.sock);
	munmap(h.window, WINDOW_SIZE);
	finish_parent();
}

/* Its device closes the connection: it ends, whatever waits for the gate. */
static void test_end_while_closed(void **state)
{
	uint64_t buffer;
	struct queue q;

	(void)state;
	begin(false);
	new_buffer(&buffer);
	harness_queue(&h, &q, 0);
	launch(&q, ADD, buffer, 1, 0, 0, NULL);
	eventually_wants(1);
	end();
}

/* What has been taken from the ring will run, as it would on a host that is busy, also when all handles are released. */
static void test_destroy_while_closed(void **state)
{
	const struct trnc_context_destroy d = { .context = 1 };
	struct trnc_rec_object r = { 0 };
	volatile int32_t *data;
	uint64_t buffer, id;
	struct queue q;

	(void)state;
	begin(false);
	data = new_buffer(&buffer);
	harness_queue(&h, &q, 0);
	for (int32_t i = 0; i < 100; i++)
		launch(&q, NEXT, buffer, i, 0, 0, NULL);
	r.handle = q.handle;
	harness_put(&h, &r, sizeof(r));
	harness_submit(&h, TRNC_REC_QUEUE_DESTROY);
	eventually_wants(1);
	/* What has not been read when the context goes is nobody's. */
	harness_wait_read(&h);
	id = harness_send(&h, TRNC_MSG_CONTEXT_DESTROY, &d, sizeof(d), -1);
	give_time();
	assert_int_equal(data[0], 0);
	set_open(true);
	harness_recv(&h, id, 0, NULL, 0, NULL);
	assert_int_equal(data[0], 100);
	assert_int_equal(data[1], 0);
	end();
}

/* A context more, whose channel lies elsewhere in the service segment. */
static void begin_second(struct harness *second)
{
	const struct trnc_context_create c = { .context = 2, .channel = SECOND_AT, .ring_len = RING_LEN, .control_seq = 2 };

	*second = h;
	second->producer = 0;
	second->window += SECOND_AT;
	second->user = (void *)(second->window + TRNC_CHANNEL_USER);
	second->page = (void *)(second->window + TRNC_CHANNEL_HOST);
	second->kernel = (void *)(second->window + TRNC_CHANNEL_KERNEL);
	second->ring = second->window + TRNC_CHANNEL_RING;
	second->user->user_cpu = ~0u;
	harness_call(&h, TRNC_MSG_CONTEXT_CREATE, &c, sizeof(c), 0, NULL, 0);
}

static void test_two_contexts(void **state)
{
	static struct harness h2;
	const volatile uint8_t *bytes;
	uint64_t buffer, other;
	struct queue q, p;

	(void)state;
	begin(false);
	begin_second(&h2);
	bytes = h.window + BUFFERS_AT;
	buffer = harness_buffer(&h, BUFFERS_AT, 64);
	other = harness_buffer(&h2, BUFFERS_AT + 64, 64);
	harness_queue(&h, &q, 0);
	harness_queue(&h2, &p, 0);
	for (uint8_t round = 1; round <= 3; round++) {
		harness_fill(&h, &q, buffer, 64, round, 0, 0, NULL);
		eventually_wants(1);
		harness_fill(&h2, &p, other, 64, round, 0, 0, NULL);
		give_time();
		assert_int_equal(bytes[0], round - 1);
		assert_int_equal(bytes[64], round - 1);
		/* The process wants it, once. */
		eventually_messages(round);
		set_open(true);
		harness_wait_seq(&h, q.event, q.seq);
		harness_wait_seq(&h2, p.event, p.seq);
		assert_int_equal(bytes[0], round);
		assert_int_equal(bytes[127], round);
		eventually_wants(0);
		set_open(false);
	}
	end();
}

static void test_idle_messages(void **state)
{
	uint64_t buffer;
	struct queue q;

	(void)state;
	begin(true);
	new_buffer(&buffer);
	harness_queue(&h, &q, 0);
	set_contended(true, 5000000);
	for (uint32_t i = 1; i <= 3; i++) {
		launch(&q, ADD, buffer, 1, 0, 0, NULL);
		harness_wait_seq(&h, q.event, q.seq);
		eventually_wants(0);
		/* It became 1 while the gate was open, and 0 while somebody else wants the host. */
		eventually_messages(i);
	}
	set_contended(false, 0);
	launch(&q, ADD, buffer, 1, 0, 0, NULL);
	harness_wait_seq(&h, q.event, q.seq);
	eventually_wants(0);
	eventually_messages(3);
	end();
}

/* At most so much as is predicted to fit, or one. */
static void test_limit(void **state)
{
	const int32_t rounds = 4000000;
	uint64_t buffers[2], start, longest = 0, last = 0, nr = 0;
	struct queue q, p;

	(void)state;
	begin(true);
	new_buffer(&buffers[0]);
	new_buffer(&buffers[1]);
	harness_queue(&h, &q, 0);
	harness_queue(&h, &p, OUT_OF_ORDER);
	set_contended(true, 1000000);
	/* On a machine that has kept us waiting all may be over before the gate closes: then more. */
	do {
		set_open(true);
		for (int i = 0; i < 40; i++, nr++)
			launch(i % 2 ? &q : &p, SPIN, buffers[i % 2], rounds, 0, 0, NULL);
		while (done(&q) + 15 < q.seq || done(&p) + 15 < p.seq)
			usleep(100);
		/* It stops within what was let, here one. */
		set_open(false);
		usleep(20000);
		last = done(&q) + done(&p);
		give_time();
		assert_true(done(&q) + done(&p) <= last + 1);
	} while (last >= nr && nr < 4000);
	assert_true(last < nr);
	wait_still(&q, &p);
	/* The end of a slice is an end, and one that is put off is not. */
	atomic_store((_Atomic uint64_t *)&gate->slice_end_ns, base_clock_ns() - 1);
	set_open(true);
	give_time();
	last = done(&q) + done(&p);
	give_time();
	assert_int_equal(done(&q) + done(&p), last);
	atomic_store((_Atomic uint64_t *)&gate->slice_end_ns, 0);
	start = base_clock_ns();
	harness_wait_seq(&h, q.event, q.seq);
	harness_wait_seq(&h, p.event, p.seq);
	longest = base_clock_ns() - start;
	print_message("the rest took %.1f ms\n", (double)longest / 1e6);
	end();
}

static void test_stopped(void **state)
{
	const int32_t nr = 200;
	volatile int32_t *data;
	uint64_t buffer;
	struct queue q;
	int32_t i = 0;

	(void)state;
	begin(true);
	set_contended(true, 2000000);
	data = new_buffer(&buffer);
	harness_queue(&h, &q, 0);
	for (int round = 0; round < 3; round++) {
		for (int j = 0; j < nr; j++)
			launch(&q, NEXT, buffer, i++, 0, 0, NULL);
		kill(h.pid, SIGSTOP);
		set_open(false);
		usleep(round == 2 ? 1200000 : 20000);
		set_open(true);
		/* Its control message is late, too, for no fault of its own. */
		buffer = harness_buffer(&h, BUFFERS_AT, 4096);
		kill(h.pid, SIGCONT);
	}
	harness_wait_seq(&h, q.event, q.seq);
	assert_int_equal(data[0], nr * 3);
	assert_int_equal(data[1], 0);
	assert_int_equal(h.page->lost, 0);
	end();
}

/* What tranche-parent writes is its own business, but nothing breaks by it. */
static void test_odd_contents(void **state)
{
	volatile int32_t *data;
	uint64_t buffer;
	struct queue q;

	(void)state;
	begin(true);
	data = new_buffer(&buffer);
	harness_queue(&h, &q, 0);
	for (uint32_t i = 0; i < 200; i++) {
		gate->limit_ns = i % 3 ? ~0ull >> i % 60 : 0;
		gate->slice_end_ns = i % 2 ? ~0ull : i % 5;
		gate->flags = i % 7 ? ~0u : 0;
		gate->wants = i;
		gate->begun = ~0ull;
		change(i % 4 ? 1 : ~0u);
		launch(&q, NEXT, buffer, (int32_t)i, 0, 0, NULL);
		usleep(100);
	}
	memset(gate, 0, sizeof(*gate));
	gate->grant = 1001;
	base_futex_wake((_Atomic uint32_t *)&gate->grant);
	harness_wait_seq(&h, q.event, q.seq);
	assert_int_equal(data[0], 200);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closed_at_first), cmocka_unit_test(test_copies_wait_too),
		cmocka_unit_test(test_order_only_goes_on), cmocka_unit_test(test_stream),
		cmocka_unit_test(test_more_than_enough), cmocka_unit_test(test_user_events_while_closed),
		cmocka_unit_test(test_failures_while_closed), cmocka_unit_test(test_kill_while_closed),
		cmocka_unit_test(test_end_while_closed), cmocka_unit_test(test_destroy_while_closed),
		cmocka_unit_test(test_two_contexts), cmocka_unit_test(test_idle_messages),
		cmocka_unit_test(test_limit), cmocka_unit_test(test_stopped), cmocka_unit_test(test_odd_contents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
