/* SPDX-License-Identifier: MIT */
/* Against the real device process and executor: argv[1] is tranche-device. Skipped where the host has no OpenCL. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/futex.h"
#include "base/rmtree.h"
#include "client/client.h"
#include "unit.h"

#define KIB 1024ull
#define MIB (1024 * KIB)
#define SOON_NS 1000000000ull

static const char *device_path;
static char folder[] = "/tmp/test_live.XXXXXX";
static char socket_path[64];
static pid_t device;

static void start_device(void)
{
	unlink(socket_path);
	device = fork();
	if (device == 0) {
		execl(device_path, device_path, "--uuid", "01234567-89ab-cdef-0123-456789abcdef", "--memory", "64M",
		      "--socket-path", socket_path, "--spare", "0", (char *)NULL);
		_exit(127);
	}
	assert_true(device > 0);
	for (int i = 0; i < 6000 && access(socket_path, F_OK) < 0; i++)
		usleep(10000);
}

static void end_device(int sig)
{
	kill(device, sig);
	waitpid(device, NULL, 0);
}

static struct client_device *the_device(void)
{
	struct client_device **devices;

	assert_int_equal(client_devices_find(&devices), 1);
	return devices[0];
}

static struct client_context *new_context(void)
{
	struct trn_error err = { 0 };
	struct client_session *s = NULL;
	struct client_context *c = NULL;
	int r = client_session_get(the_device(), &s, &err);

	if (r == 0)
		r = client_context_create(s, &c, &err);
	if (r < 0)
		fprintf(stderr, "%s\n", err.text);
	assert_int_equal(r, 0);
	client_session_put(s);
	return c;
}

static void *begin(struct client_context *c, enum trnc_rec_type type, size_t len)
{
	void *room = NULL;

	assert_int_equal(client_rec_begin(c, type, len, &room), 0);
	return room;
}

static uint64_t create_buffer(struct client_context *c, const struct client_mem *mem)
{
	uint64_t handle = client_handle_new(c, CLIENT_BUFFER);
	struct trnc_rec_buffer_create *rec = begin(c, TRNC_REC_BUFFER_CREATE, sizeof(*rec));

	rec->buffer = handle;
	rec->flags = 1; /* CL_MEM_READ_WRITE */
	rec->offset = mem->offset;
	rec->size = mem->size;
	client_rec_end(c);
	return handle;
}

static void create_queue(struct client_context *c, struct client_queue *q)
{
	struct trnc_rec_queue_create *rec;

	*q = (struct client_queue){ .handle = client_handle_new(c, CLIENT_QUEUE), .event = client_event_new(c, NULL) };
	assert_true(q->handle && q->event);
	rec = begin(c, TRNC_REC_QUEUE_CREATE, sizeof(*rec));
	rec->queue = q->handle;
	rec->event = q->event;
	client_rec_end(c);
}

static uint64_t fill(struct client_context *c, struct client_queue *q, uint64_t buffer, uint64_t size, uint64_t wait)
{
	struct client_cmd cmd = {
		.type = TRNC_REC_FILL,
		.body_len = sizeof(struct trnc_cmd_fill),
		.queue = q,
		.waits = &wait,
		.nr_waits = wait != 0,
	};
	uint64_t seq = 0;
	struct trnc_cmd_fill *rec;
	void *room;

	assert_int_equal(client_cmd_begin(c, &cmd, &room, NULL, &seq), 0);
	rec = room;
	rec->buffer = buffer;
	rec->size = size;
	rec->pattern_size = 1;
	rec->pattern[0] = 0x5a;
	client_rec_end(c);
	return seq;
}

static uint64_t create_user_event(struct client_context *c)
{
	uint64_t event = client_event_new(c, NULL);
	struct trnc_rec_object *rec = begin(c, TRNC_REC_USER_EVENT_CREATE, sizeof(*rec));

	rec->handle = event;
	client_rec_end(c);
	return event;
}

static uint64_t used_memory(struct client_context *c)
{
	struct trnc_memory_reply reply;

	assert_int_equal(client_session_memory(client_context_session(c), &reply, NULL), 0);
	assert_int_equal(reply.quota, 64 * MIB);
	return reply.used;
}

/* nr pieces of size are the whole quota; the host fills each; then all of it comes back. */
static void use_quota(uint64_t size, size_t nr)
{
	struct client_context *c = new_context();
	struct client_mem *mem = calloc(nr, sizeof(*mem)), extra;
	uint64_t *buffers = calloc(nr, sizeof(*buffers)), seq = 0;
	struct client_queue q;

	assert_true(mem && buffers);
	create_queue(c, &q);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < nr; i++) {
			assert_int_equal(client_mem_alloc(c, size, &mem[i], NULL), 0);
			buffers[i] = create_buffer(c, &mem[i]);
			seq = fill(c, &q, buffers[i], size, 0);
		}
		assert_int_equal(used_memory(c), 64 * MIB);
		assert_int_equal(client_mem_alloc(c, size, &extra, NULL), -ENOSPC);
		assert_int_equal(client_queue_wait(c, &q, seq), 0);
		assert_int_equal(client_queue_error(c, &q), 0);
		for (size_t i = 0; i < nr; i++) {
			assert_int_equal(((uint8_t *)mem[i].ptr)[0], 0x5a);
			assert_int_equal(((uint8_t *)mem[i].ptr)[size - 1], 0x5a);
			client_buffer_destroy(c, buffers[i], &mem[i]);
		}
	}
	assert_int_equal(client_mem_alloc(c, 64 * MIB, &mem[0], NULL), 0);
	assert_int_equal(((uint8_t *)mem[0].ptr)[0], 0); /* nobody's old bytes */
	client_mem_free(c, &mem[0]);
	client_context_destroy(c);
	free(mem);
	free(buffers);
}

static void test_quota_in_pages(void **state)
{
	use_quota(4 * KIB, 16384);
}

static void test_quota_in_mebibytes(void **state)
{
	use_quota(MIB, 64);
}

static void test_quota_in_segments(void **state)
{
	use_quota(16 * MIB, 4);
}

/* Memory of a command that waits comes back neither too early nor never. */
static void test_held_memory(void **state)
{
	struct client_context *c = new_context();
	uint64_t event = create_user_event(c), seq, buffer;
	struct trnc_rec_user_event_set *set;
	struct client_mem mem, next;
	struct client_queue q;

	create_queue(c, &q);
	assert_int_equal(client_mem_alloc(c, 4096, &mem, NULL), 0);
	buffer = create_buffer(c, &mem);
	seq = fill(c, &q, buffer, 4096, event);
	client_buffer_destroy(c, buffer, &mem);
	usleep(20000);
	assert_int_equal(client_mem_alloc(c, 4096, &next, NULL), 0);
	assert_int_not_equal(next.offset, mem.offset);
	assert_false(client_queue_is_done(c, &q, seq));

	set = begin(c, TRNC_REC_USER_EVENT_SET, sizeof(*set));
	set->event = event;
	client_rec_end(c);
	assert_int_equal(client_queue_wait(c, &q, seq), 0);
	client_mem_free(c, &next);
	client_context_destroy(c);
}

static bool is_executor(pid_t pid)
{
	char path[64], name[16] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(name, sizeof(name), f))
		name[0] = '\0';
	fclose(f);
	return strncmp(name, "tranche-execut", 14) == 0;
}

/* The first of the device's children that is one, and how many are. */
static pid_t list_executors(int *ret_nr)
{
	char path[64];
	pid_t child, first = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)device, (int)device);
	f = fopen(path, "r");
	assert_non_null(f);
	*ret_nr = 0;
	while (fscanf(f, "%d", &child) == 1)
		if (is_executor(child) && (*ret_nr)++ == 0)
			first = child;
	fclose(f);
	return first;
}

/*
 * The only one: the device keeps no spare.  That of a session before may still be ending, and while a child goes the list
 * may leave out another: so it is the one that is alone twice in a row.
 */
static pid_t find_executor(void)
{
	pid_t child = 0, before;
	int nr = 0;

	for (int i = 0; i < 3000; i++) {
		before = nr == 1 ? child : 0;
		child = list_executors(&nr);
		if (nr == 1 && child == before)
			return child;
		usleep(10000);
	}
	assert_int_equal(nr, 0); /* else there are several, and stay */
	return 0;
}

/* Return: for how long it was waited. */
static uint64_t check_loss(struct client_context *c, pid_t victim)
{
	uint64_t event = create_user_event(c), start, took;

	kill(victim, SIGKILL);
	start = base_clock_ns();
	assert_int_equal(client_event_wait(c, event, 0, NULL, 0, NULL), -ESHUTDOWN);
	took = base_clock_ns() - start;
	assert_true(client_context_is_lost(c));
	client_context_destroy(c);
	return took;
}

/* Memory comes back behind the end of who had it. */
static void wait_unused(struct client_context *c)
{
	for (int i = 0; i < 2000 && used_memory(c) != 0; i++)
		usleep(10000);
	assert_int_equal(used_memory(c), 0);
}

static void test_executor_dies(void **state)
{
	uint64_t took = UINT64_MAX;

	/* A busy machine may be slow once. */
	for (int i = 0; i < 5 && took >= SOON_NS; i++) {
		struct client_context *c = new_context();
		pid_t executor = find_executor();

		if (!executor)
			skip(); /* the kernel does not tell */
		took = check_loss(c, executor);
		c = new_context(); /* served by another one */
		wait_unused(c);
		client_context_destroy(c);
	}
	assert_true(took < SOON_NS);
}

static void test_device_dies(void **state)
{
	uint64_t took = UINT64_MAX;

	for (int i = 0; i < 5 && took >= SOON_NS; i++) {
		struct client_context *c = new_context();

		took = check_loss(c, device);
		end_device(SIGKILL);
		start_device();
		c = new_context();
		client_context_destroy(c);
	}
	assert_true(took < SOON_NS);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quota_in_pages),
		cmocka_unit_test(test_quota_in_mebibytes),
		cmocka_unit_test(test_quota_in_segments),
		cmocka_unit_test(test_held_memory),
		cmocka_unit_test(test_executor_dies),
		cmocka_unit_test(test_device_dies),
	};
	struct trn_error err = { 0 };
	struct client_device **devices;
	const void *probe;
	size_t len;
	int failed = 77;

	if (argc < 2 || !mkdtemp(folder))
		return 77;
	device_path = argv[1];
	snprintf(socket_path, sizeof(socket_path), "%s/device", folder);
	setenv("TRANCHE_DEVICE", socket_path, 1);
	start_device();
	if (client_devices_find(&devices) == 1 && client_device_probe(devices[0], &probe, &len, &err) == 0)
		failed = unit_run(tests);
	else
		printf("1..0 # SKIP %s\n", err.text);
	end_device(SIGTERM);
	base_rmtree(AT_FDCWD, folder); /* made by mkdtemp(); a device that was killed leaves things there */
	return failed == 77 ? 0 : failed;
}
