/* SPDX-License-Identifier: MIT */
/* A child's inherited objects fail cleanly, it can connect anew, and its parent notices nothing. */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_device.h"
#include "unit.h"

static bool never(void *data)
{
	return false;
}

/* In the child: 0, or the number of the first check that failed. The old context is not used up. */
static int check_child(struct client_context *c, struct client_mem *mem, uint64_t event)
{
	struct client_session *s = client_context_session(c), *fresh;
	struct trn_error err = { 0 };
	struct client_context *other;
	struct trnc_memory_reply memory;
	struct client_mem more;
	int32_t status;
	void *rec;

	if (!client_session_is_lost(s) || !client_context_is_lost(c))
		return 1;
	if (client_mem_alloc(c, 4096, &more, &err) != -ESHUTDOWN || !strstr(err.text, "parent"))
		return 2;
	if (client_rec_begin(c, TRNC_REC_BUFFER_DESTROY, 32, &rec) != -ESHUTDOWN)
		return 3;
	if (client_wait(c, never, NULL, -1) != -ESHUTDOWN || client_event_wait(c, event, 0, NULL, 0, &status) != -ESHUTDOWN)
		return 4;
	if (client_session_memory(s, &memory, NULL) != -ESHUTDOWN ||
	    client_context_create(s, &other, NULL) != -ESHUTDOWN)
		return 5;
	if (client_handle_new(c, CLIENT_BUFFER) || client_event_new(c, NULL))
		return 6;
	if (memcmp(mem->ptr, "parent", 7))
		return 7;
	client_buffer_destroy(c, 1, mem);
	client_event_free(c, event);
	client_output_enable(c, NULL);
	client_context_destroy(c);
	client_session_put(s);
	/* The fake serves one connection at a time, and the parent has it: the attempt must not hang on a lock. */
	if (client_session_get(fake_device(), &fresh, NULL) == 0)
		return 8;
	return 0;
}

static void *keep_busy(void *arg)
{
	struct client_context *c = arg;
	struct client_mem mem;

	/* Locks are held by this thread when the other forks. */
	for (int i = 0; i < 3000; i++) {
		if (client_mem_alloc(c, 16 << 20, &mem, NULL) < 0)
			return c;
		client_mem_free(c, &mem);
	}
	return NULL;
}

static void test_child(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	uint64_t event = client_event_new(c, NULL);
	struct client_mem mem, more;
	void *failed;
	pthread_t thread;

	assert_int_equal(client_output_enable(c, NULL), 0);
	assert_int_equal(client_mem_alloc(c, 4096, &mem, NULL), 0);
	client_mem_show(&mem); /* as a program that has a pointer to it: the child keeps it */
	memcpy(mem.ptr, "parent", 7);
	pthread_create(&thread, NULL, keep_busy, c);
	for (int i = 0; i < 20; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			alarm(20);
			unlink(f->path); /* so that connecting anew ends at once */
			_exit(check_child(c, &mem, event));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	pthread_join(thread, &failed);
	assert_null(failed);
	assert_false(client_context_is_lost(c));
	assert_int_equal(client_mem_alloc(c, 4096, &more, NULL), 0);
	assert_memory_equal(mem.ptr, "parent", 7);
	fake_context_free(c);
	fake_stop(f);
}

/* The child has a connection of its own when the parent has given up its own. */
static void test_child_connects(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	int go[2], status;
	pid_t pid;
	char byte = 0;

	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		struct client_session *s = NULL;
		struct client_context *own = NULL;
		struct client_mem mem;

		alarm(20);
		if (read(go[0], &byte, 1) != 1)
			_exit(1);
		if (client_session_get(fake_device(), &s, NULL) < 0 || client_context_create(s, &own, NULL) < 0)
			_exit(2);
		if (client_context_is_lost(own) || client_mem_alloc(own, 4096, &mem, NULL) < 0)
			_exit(3);
		client_context_destroy(own);
		client_session_put(s);
		_exit(0);
	}
	fake_context_free(c);
	assert_int_equal(write(go[1], &byte, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	close(go[0]);
	close(go[1]);
	fake_stop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_child),
		cmocka_unit_test(test_child_connects),
	};

	return unit_run(tests);
}
