/* SPDX-License-Identifier: MIT */
/*
 * share: two processes, each with a session of its own on the same device of a virtual machine.  One exports a buffer and
 * sends the descriptor (SCM_RIGHTS), the other imports it: a kernel of the one writes, a kernel of the other reads, and what one
 * writes the other has in its mapping.  Then memory that is not the device's is offered, and has to be refused.
 *
 * Exit status: 0: all was so; 1: it was not; 2: the device shares no memory (its sentence is told).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/socket.h"
#include "client/client.h"

#define COUNT 16384u
#define FACTOR 3u
#define SIZE (COUNT * sizeof(uint32_t))

static const char source[] =
	"kernel void put(global uint *p, uint n) { p[get_global_id(0)] = get_global_id(0) * n; }\n"
	"kernel void sum(global const uint *p, uint n) { uint s = 0; for (uint i = 0; i < n; i++) s += p[i];\n"
	"	((global uint *)p)[n - 1] = s; }\n";

static void give_up(int status, const char *what, const struct trn_error *err)
{
	fprintf(stderr, "share: %s: %s\n", what, err && err->text[0] ? err->text : strerror(errno));
	if (err && err->hint[0])
		fprintf(stderr, "share: hint: %s\n", err->hint);
	exit(status);
}

static void check(bool ok, const char *what)
{
	printf("%s: %s\n", ok ? "ok" : "FAILED", what);
	fflush(stdout);
	if (!ok)
		exit(1);
}

/* --------------------------------------------------------------- client */

struct work {
	struct client_context *c;
	struct client_queue queue;
	uint64_t program;
};

static void *begin(struct work *w, enum trnc_rec_type type, size_t len)
{
	void *room = NULL;

	if (client_rec_begin(w->c, type, len, &room) < 0)
		give_up(1, "a record", NULL);
	return room;
}

static void create_queue(struct work *w)
{
	struct trnc_rec_queue_create *rec;

	w->queue.handle = client_handle_new(w->c, CLIENT_QUEUE);
	w->queue.event = client_event_new(w->c, NULL);
	rec = begin(w, TRNC_REC_QUEUE_CREATE, sizeof(*rec));
	rec->queue = w->queue.handle;
	rec->event = w->queue.event;
	client_rec_end(w->c);
}

static void build(struct work *w)
{
	struct base_blob request = { 0 };
	struct trn_error err = { 0 };
	struct base_blob_reader r;
	struct base_blob_item it;
	uint32_t status = 1;
	void *reply;
	size_t len;

	w->program = client_handle_new(w->c, CLIENT_PROGRAM);
	base_blob_put_u32(&request, TRNC_TAG_OP, TRNC_OP_BUILD);
	base_blob_put(&request, TRNC_TAG_SOURCE, source, strlen(source));
	base_blob_put_str(&request, TRNC_TAG_OPTIONS, "");
	if (client_program_build(w->c, w->program, &request, &reply, &len, &err) < 0)
		give_up(1, "build", &err);
	base_blob_reader_init(&r, reply, len);
	while (base_blob_next(&r, &it))
		if (it.tag == TRNC_TAG_STATUS)
			base_blob_u32(&it, &status);
	free(reply);
	base_blob_finish(&request);
	check(status == 0, "the program is built");
}

static void connect_device(struct work *w)
{
	struct client_device **devices;
	struct trn_error err = { 0 };
	struct client_session *s;

	client_devices_allow_sharing();
	if (client_devices_find(&devices) < 1)
		give_up(1, "no device", NULL);
	if (client_session_get(devices[0], &s, &err) < 0 || client_context_create(s, &w->c, &err) < 0)
		give_up(1, "a session", &err);
	client_session_put(s);
	create_queue(w);
	build(w);
}

static uint64_t create_buffer(struct work *w, const struct client_mem *mem)
{
	struct trnc_rec_buffer_create *rec;
	uint64_t handle = client_handle_new(w->c, CLIENT_BUFFER);

	rec = begin(w, TRNC_REC_BUFFER_CREATE, sizeof(*rec));
	rec->buffer = handle;
	rec->flags = 1; /* CL_MEM_READ_WRITE */
	rec->offset = mem->offset;
	rec->size = mem->size;
	client_rec_end(w->c);
	return handle;
}

static uint64_t create_kernel(struct work *w, uint32_t index)
{
	struct trnc_rec_kernel_create *rec;
	uint64_t handle = client_handle_new(w->c, CLIENT_KERNEL);

	rec = begin(w, TRNC_REC_KERNEL_CREATE, sizeof(*rec));
	rec->kernel = handle;
	rec->program = w->program;
	rec->index = index;
	client_rec_end(w->c);
	return handle;
}

static void *put_arg(void *at, uint32_t index, enum trnc_arg_kind kind, uint64_t size, uint64_t value)
{
	struct trnc_arg *arg = at;

	*arg = (struct trnc_arg){ .index = index, .kind = (uint16_t)kind, .size = size };
	memcpy(arg + 1, &value, sizeof(value));
	return (uint8_t *)(arg + 1) + sizeof(value);
}

/* The kernel of that place in the source, with a buffer and a number; waits for its end. */
static void run(struct work *w, uint32_t index, uint64_t buffer, uint32_t number, size_t items)
{
	struct client_cmd cmd = {
		.type = TRNC_REC_NDRANGE,
		.body_len = sizeof(struct trnc_cmd_ndrange),
		.queue = &w->queue,
		.extra = 2 * (sizeof(struct trnc_arg) + 8),
	};
	uint64_t kernel = create_kernel(w, index), seq;
	struct trnc_cmd_ndrange *rec;
	void *room, *args;

	if (client_cmd_begin(w->c, &cmd, &room, &args, &seq) < 0)
		give_up(1, "a launch", NULL);
	rec = room;
	rec->kernel = kernel;
	rec->dims = 1;
	for (int i = 0; i < 3; i++)
		rec->global[i] = rec->local[i] = 1;
	rec->global[0] = items;
	rec->cmd.nr_args = 2;
	args = put_arg(args, 0, TRNC_ARG_BUFFER, 8, buffer);
	put_arg(args, 1, TRNC_ARG_VALUE, 4, number);
	client_rec_end(w->c);
	check(client_queue_wait(w->c, &w->queue, seq) == 0 && client_queue_error(w->c, &w->queue) == 0,
	      index ? "the reading kernel has run" : "the writing kernel has run");
}

/* ------------------------------------------------------------ processes */

static void send_fd(int sock, int fd)
{
	char byte = 0;

	if (base_send(sock, &byte, 1, &fd, fd >= 0) < 0)
		give_up(1, "send", NULL);
}

static int receive_fd(int sock)
{
	size_t nr = 1;
	int fd = -1;
	char byte;

	if (base_recv(sock, &byte, 1, &fd, &nr) != 1)
		give_up(1, "the other process has ended", NULL);
	return fd;
}

static uint32_t expected_sum(void)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < COUNT; i++)
		sum += i * FACTOR;
	return sum;
}

static int export_memory(int sock)
{
	struct trn_error err = { 0 };
	struct client_mem mem;
	struct work w = { 0 };
	uint32_t *p;
	int fd;

	connect_device(&w);
	if (client_mem_alloc_exportable(w.c, SIZE, &mem, &err) < 0)
		give_up(2, "exportable memory", &err);
	fd = client_mem_export(&mem, &err);
	if (fd < 0)
		give_up(1, "export", &err);
	p = mem.ptr;
	run(&w, 0, create_buffer(&w, &mem), FACTOR, COUNT);
	send_fd(sock, fd);
	close(fd);
	receive_fd(sock);
	check(p[COUNT - 1] == expected_sum(), "what the other's kernel wrote is here");
	p[0] = 0xabcdef;
	send_fd(sock, -1);
	receive_fd(sock);
	client_context_destroy(w.c);
	return 0;
}

/* Memory of another driver, as a dma-buf. Return: -1 where there is no such driver. */
static int make_foreign(void)
{
	int memory = memfd_create("foreign", MFD_CLOEXEC | MFD_ALLOW_SEALING), dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), fd;
	struct udmabuf_create create = { .memfd = (uint32_t)memory, .flags = UDMABUF_FLAGS_CLOEXEC, .size = 65536 };

	if (dev < 0 || ftruncate(memory, 65536) < 0 || fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
		return -1;
	fd = ioctl(dev, UDMABUF_CREATE, &create);
	close(dev);
	close(memory);
	return fd;
}

static void refuse(struct work *w, int fd, const char *what)
{
	struct trn_error err = { 0 };
	struct client_mem mem;
	int r = client_mem_import(w->c, fd, &mem, &err);

	printf("# %s\n", err.text);
	check(r < 0 && err.text[0] && err.hint[0], what);
	close(fd);
}

static void refuse_foreign(struct work *w)
{
	int fd = make_foreign();

	if (fd >= 0)
		refuse(w, fd, "memory of another driver is refused");
	else
		printf("# no /dev/udmabuf\n");
	refuse(w, memfd_create("no dma-buf", MFD_CLOEXEC), "what is no dma-buf is refused");
}

static int import_memory(int sock)
{
	struct trn_error err = { 0 };
	struct client_mem mem;
	struct work w = { 0 };
	uint32_t *p;
	int fd;

	connect_device(&w);
	fd = receive_fd(sock);
	if (client_mem_import(w.c, fd, &mem, &err) < 0)
		give_up(1, "import", &err);
	close(fd);
	p = mem.ptr;
	check(mem.size == SIZE && p[1] == FACTOR && p[COUNT - 1] == (COUNT - 1) * FACTOR,
	      "what the other's kernel wrote is here");
	run(&w, 1, create_buffer(&w, &mem), COUNT, 1);
	check(p[COUNT - 1] == expected_sum(), "the kernel here has read it");
	send_fd(sock, -1);
	receive_fd(sock);
	check(p[0] == 0xabcdef, "what the other process wrote is here");
	client_mem_free(w.c, &mem);
	refuse_foreign(&w);
	send_fd(sock, -1);
	client_context_destroy(w.c);
	return 0;
}

int main(void)
{
	int socks[2], status;
	pid_t pid;

	if (base_socket_pair(socks) < 0)
		give_up(1, "socketpair", NULL);
	pid = fork();
	if (pid == 0) {
		close(socks[0]);
		exit(export_memory(socks[1]));
	}
	close(socks[1]);
	status = import_memory(socks[0]);
	if (waitpid(pid, &status, 0) == pid)
		status = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	return status;
}
