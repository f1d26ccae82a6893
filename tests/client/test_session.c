/* SPDX-License-Identifier: MIT */
/* Connecting, what a device may not say, and how a session ends. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/futex.h"
#include "client/session.h"
#include "fake_device.h"
#include "unit.h"

static void test_probe(void **state)
{
	struct fake *f = fake_start();
	struct client_device *d = fake_device();
	const uint8_t uuid[16] = { 1, 2, 3 };
	struct client_session *a, *b;
	const void *probe, *again;
	size_t len;

	assert_int_equal(client_device_probe(d, &probe, &len, NULL), 0);
	assert_int_equal(len, strlen(f->probe));
	assert_memory_equal(probe, f->probe, len);
	assert_int_equal(client_device_quota(d), f->quota);
	assert_memory_equal(client_device_uuid(d), uuid, sizeof(uuid));
	assert_int_equal(client_device_probe(d, &again, &len, NULL), 0);
	assert_ptr_equal(again, probe);

	/* One session a process; the last put closes it. */
	a = fake_connect();
	b = fake_connect();
	assert_ptr_equal(a, b);
	assert_true(client_session_is_coherent(a));
	assert_false(client_session_is_lost(a));
	assert_ptr_equal(client_session_ref(a), a);
	for (int i = 0; i < 3; i++)
		assert_null(client_session_put(a));
	assert_null(client_session_put(NULL));
	assert_int_equal(atomic_load(&f->nr_sessions), 2);
	fake_stop(f);
}

static void test_no_device(void **state)
{
	struct client_session *s;
	struct trn_error err = { 0 };
	struct client_device *d;
	struct fake *f = fake_start();

	d = fake_device();
	fake_stop(f);
	assert_refused(client_session_get(d, &s, &err), err, -ENOENT, "ConnectFailed");
}

static void test_nonsense_at_start(void **state)
{
	static const struct {
		enum trnc_msg_type type;
		enum fake_nonsense nonsense;
		int code;
		const char *name;
	} cases[] = {
		{ TRNC_MSG_HELLO, FAKE_BAD_MAGIC, -EPROTO, "NotADevice" },
		{ TRNC_MSG_HELLO, FAKE_BAD_WINDOW, -EPROTO, "NotADevice" },
		{ TRNC_MSG_HELLO, FAKE_BAD_VERSION, -EPROTO, "VersionMismatch" },
		{ TRNC_MSG_HELLO, FAKE_SHORT_REPLY, -ESHUTDOWN, "BadReply" },
		{ TRNC_MSG_HELLO, FAKE_LONG_REPLY, -ESHUTDOWN, "BadReply" },
		{ TRNC_MSG_HELLO, FAKE_WRONG_ID, -ESHUTDOWN, "BadReply" },
		{ TRNC_MSG_HELLO, FAKE_WRONG_TYPE, -ESHUTDOWN, "BadReply" },
		{ TRNC_MSG_HELLO, FAKE_WRONG_LEN, -ESHUTDOWN, "BadReply" },
		{ TRNC_MSG_HELLO, FAKE_BAD_STATUS, -ESHUTDOWN, "BadReply" },
		{ TRNC_MSG_HELLO, FAKE_RUNT, -ESHUTDOWN, "BadReply" },
		{ TRNC_MSG_HELLO, FAKE_SMALL_FD, -ESHUTDOWN, "BadReply" },
		{ TRNC_MSG_SESSION_CREATE, FAKE_NO_FD, -ESHUTDOWN, "BadReply" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake *f = fake_start();
		struct client_session *s = NULL;
		struct trn_error err = { 0 };

		atomic_store(&f->nonsense, cases[i].nonsense);
		atomic_store(&f->nonsense_type, cases[i].type);
		assert_refused(client_session_get(fake_device(), &s, &err), err, cases[i].code, cases[i].name);
		atomic_store(&f->nonsense, FAKE_SANE);
		client_session_put(fake_connect());
		fake_stop(f);
	}
}

static void test_nonsense_segments(void **state)
{
	static const enum fake_nonsense unsafe[] = { FAKE_UNSEALED_FD, FAKE_SMALL_FD };
	struct fake *f = fake_start();
	struct trn_error err = { 0 };
	struct client_context *c = fake_context_new();
	struct client_mem mem;

	atomic_store(&f->nonsense_type, TRNC_MSG_SEGMENT_CREATE);
	for (int i = 0; i < 2; i++) {
		atomic_store(&f->nonsense, unsafe[i]);
		assert_refused(client_mem_alloc(c, 20 << 20, &mem, &err), err, -EPROTO, "UnsafeSegment");
	}
	atomic_store(&f->nonsense, FAKE_NO_FD);
	assert_refused(client_mem_alloc(c, 20 << 20, &mem, &err), err, -ESHUTDOWN, "BadReply");
	assert_true(client_context_is_lost(c));
	fake_context_free(c);
	fake_stop(f);
}

static bool never(void *data)
{
	return false;
}

/* The executor's and the device's end, as seen by one who waits. Return: for how long. */
static uint64_t lose(int how)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new(), *next;
	struct client_session *s = client_context_session(c);
	struct trn_error err = { 0 };
	struct client_mem mem, more;
	struct trnc_memory_reply memory;
	uint64_t start, took, event;
	void *rec;

	assert_int_equal(client_mem_alloc(c, 5000, &mem, &err), 0);
	event = client_event_new(c, NULL);
	assert_int_not_equal(event, 0);
	assert_int_equal(client_wait(c, never, NULL, (int64_t)base_clock_ns() + 1000000), -ETIMEDOUT);
	if (how == 0)
		fake_drop(f);
	else if (how == 1)
		fake_farewell(f, "the watchdog ended the program");
	else
		fake_lose_contexts(f, TRNC_LOST_EXECUTOR);
	start = base_clock_ns();
	assert_int_equal(client_event_wait(c, event, 0, NULL, 0, NULL), -ESHUTDOWN);
	took = base_clock_ns() - start;

	assert_true(client_context_is_lost(c));
	assert_true(client_session_is_lost(s));
	assert_int_equal(client_rec_begin(c, TRNC_REC_BUFFER_DESTROY, 32, &rec), -ESHUTDOWN);
	assert_int_equal(client_mem_alloc(c, 5000, &more, NULL), -ESHUTDOWN);
	assert_int_equal(client_session_memory(s, &memory, &err), -ESHUTDOWN);
	if (how == 1)
		assert_string_equal(err.text, "the watchdog ended the program");
	assert_int_equal(client_event_new(c, NULL), 0);
	assert_int_equal(*(char *)mem.ptr, 0); /* still readable */
	client_buffer_destroy(c, client_handle_new(c, CLIENT_BUFFER), &mem);

	next = fake_context_new(); /* connects anew */
	assert_ptr_not_equal(client_context_session(next), s);
	assert_false(client_context_is_lost(next));
	fake_context_free(c);
	fake_context_free(next);
	fake_stop(f);
	return took;
}

static void test_loss(void **state)
{
	for (int how = 0; how < 3; how++) {
		uint64_t took = UINT64_MAX;

		/* A busy machine may be slow once. */
		for (int i = 0; i < 3 && took >= 1000000000; i++)
			took = lose(how);
		assert_true(took < 1000000000);
	}
}

/* A bad record costs its context, not the session. */
static void test_lost_context(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new(), *other;

	fake_lose_contexts(f, TRNC_LOST_RECORD);
	assert_int_equal(client_wait(c, never, NULL, -1), -ESHUTDOWN);
	assert_false(client_session_is_lost(client_context_session(c)));
	other = fake_context_new();
	assert_ptr_equal(client_context_session(other), client_context_session(c));
	assert_false(client_context_is_lost(other));
	fake_context_free(c);
	fake_context_free(other);
	fake_stop(f);
}

static void test_contexts(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c[TRNC_MAX_CONTEXTS + 1];
	struct client_session *s = fake_connect();
	struct trn_error err = { 0 };

	for (uint32_t i = 0; i < TRNC_MAX_CONTEXTS; i++)
		assert_int_equal(client_context_create(s, &c[i], &err), 0);
	assert_refused(client_context_create(s, &c[TRNC_MAX_CONTEXTS], &err), err, -ENOBUFS, "TooManyContexts");
	client_context_destroy(c[5]);
	assert_int_equal(client_context_create(s, &c[5], &err), 0);
	for (uint32_t i = 0; i < TRNC_MAX_CONTEXTS; i++)
		client_context_destroy(c[i]);
	client_context_destroy(NULL);
	assert_int_equal(client_context_create(s, &c[0], &err), 0);
	assert_int_equal(atomic_load(&f->nr_still_mapped), 0);
	client_context_destroy(c[0]);
	client_session_put(s);
	fake_stop(f);
}

/* Where the host is likely to have room, too; elsewhere when that range is full. */
static void test_shared_window(void **state)
{
	const uint64_t room = TRNC_WINDOW_TO - TRNC_WINDOW_FROM;
	struct fake *f = fake_start();
	struct client_session *s;
	struct client_context *c;
	uint64_t first = 0, base;
	bool has_moved = false;
	struct client_mem mem;
	void *hog;

	f->has_svm = true;
	for (int i = 0; i < 3; i++) {
		s = fake_connect();
		base = (uintptr_t)s->window;
		assert_true(client_session_has_svm(s));
		assert_int_equal(atomic_load(&f->features), TRNC_FEATURE_SVM);
		assert_int_equal(atomic_load(&f->window_base), base);
		assert_true(base >= TRNC_WINDOW_FROM && base <= TRNC_WINDOW_TO - f->window);
		has_moved |= first && base != first;
		if (!first)
			first = base;
		client_session_put(s);
	}
	/* It is chosen by chance: the same once more is rare, and twice is none. */
	assert_true(has_moved);
	c = fake_context_new();
	assert_int_equal(client_mem_alloc(c, 5000, &mem, NULL), 0);
	assert_ptr_equal(mem.ptr, client_context_session(c)->window + mem.offset);
	assert_true(client_context_has_address(c, mem.ptr));
	assert_false(client_context_has_address(c, &mem));
	assert_false(client_context_has_address(c, client_context_session(c)->window + f->window));
	assert_false(client_context_has_address(c, client_context_session(c)->window - 1));
	client_mem_free(c, &mem);
	fake_context_free(c);

	f->has_svm = false;
	hog = mmap((void *)(uintptr_t)TRNC_WINDOW_FROM, room, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	assert_ptr_not_equal(hog, MAP_FAILED);
	s = fake_connect();
	base = (uintptr_t)s->window;
	assert_true(base && (base < TRNC_WINDOW_FROM || base >= TRNC_WINDOW_TO));
	assert_false(client_session_has_svm(s));
	client_session_put(s);
	munmap(hog, room);
	fake_stop(f);
}

/* Without room for the window each segment lies somewhere. */
static void test_no_window(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c;
	struct client_mem mem, big;
	void *hogs[8];
	int nr = 0;

	/* Until the address space has no room for another one. */
	f->window = 1ull << 45;
	while (nr < 8) {
		hogs[nr] = mmap(NULL, f->window, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (hogs[nr] == MAP_FAILED)
			break;
		nr++;
	}
	c = fake_context_new();
	assert_null(client_context_session(c)->window);
	assert_int_equal(client_mem_alloc(c, 5000, &mem, NULL), 0);
	assert_int_equal(client_mem_alloc(c, 17 << 20, &big, NULL), 0);
	memset(mem.ptr, 1, 5000);
	memset(big.ptr, 1, 17 << 20);
	client_mem_free(c, &mem);
	client_mem_free(c, &big);
	fake_context_free(c);
	while (nr)
		munmap(hogs[--nr], f->window);
	fake_stop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_no_device),
		cmocka_unit_test(test_nonsense_at_start),
		cmocka_unit_test(test_nonsense_segments),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_lost_context),
		cmocka_unit_test(test_contexts),
		cmocka_unit_test(test_shared_window),
		cmocka_unit_test(test_no_window),
	};

	return unit_run(tests);
}
