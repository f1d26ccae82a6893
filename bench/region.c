// SPDX-License-Identifier: MIT
/*
 * region SOCKET [CPU]: how long region accesses of a vfio-user server take, beside the floor: a bare echo of the same bytes
 * over a Unix socket, with one read and one write for each batch. Both in turns, in this process; prints lines "name value",
 * where the names of the floor begin with "floor_" and those of the server with "ours_".
 *
 * With CPU the floor's processes run there, as the server should.  The server is a tranche-device with the test device: a
 * register at 0x04 of BAR0, memory in BAR2.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tranche/wire/vfio_user.h"

#define ROUNDS 15
#define ROUND_MESSAGES 16384
#define MAX_DEPTH 16
#define CONFIG_REGION 7u
#define SCRATCH 0x04u
#define BUFFER 65536

struct read_request {
	struct vfu_header header;
	struct vfu_region_access access;
};

struct write_request {
	struct vfu_header header;
	struct vfu_region_access access;
	uint32_t value;
} __attribute__((packed)); /* a message has no padding */

struct multi_request {
	struct vfu_header header;
	struct vfu_write_multi multi;
	struct vfu_write_multi_entry entries[MAX_DEPTH];
};

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, errno ? strerror(errno) : "unexpected answer");
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void send_all(int fd, const void *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, (const char *)data + done, len - done);

		if (n <= 0)
			die("write");
		done += (size_t)n;
	}
}

static void receive(int fd, void *to, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = read(fd, (char *)to + done, len - done);

		if (n <= 0) {
			errno = n ? errno : 0;
			die("read");
		}
		done += (size_t)n;
	}
}

/* cpu < 0: anywhere. */
static void move_to(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die("sched_setaffinity");
}

/* The floor: what comes is sent back. */
static int start_echo(int cpu)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		die("socketpair");
	if (fork() == 0) {
		static char buffer[BUFFER];

		close(pair[0]);
		move_to(cpu);
		for (;;) {
			ssize_t n = read(pair[1], buffer, sizeof(buffer));

			if (n <= 0)
				_exit(0);
			if (write(pair[1], buffer, (size_t)n) != n)
				_exit(1);
		}
	}
	close(pair[1]);
	return pair[0];
}

/* The floor of posted writes: what comes is read; a message of one byte is answered. */
static int start_sink(int cpu)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		die("socketpair");
	if (fork() == 0) {
		static char buffer[BUFFER];
		ssize_t n;

		close(pair[0]);
		move_to(cpu);
		while ((n = read(pair[1], buffer, sizeof(buffer))) > 0)
			if (buffer[n - 1] == 'E' && write(pair[1], "E", 1) != 1)
				_exit(1);
		_exit(0);
	}
	close(pair[1]);
	return pair[0];
}

static void transact(int fd, const void *request, size_t len, void *reply, size_t reply_len)
{
	const struct vfu_header *header = reply;

	send_all(fd, request, len);
	receive(fd, reply, sizeof(*header));
	if (header->flags & VFU_FLAG_ERROR || header->size != reply_len) {
		errno = (int)header->error;
		die("the server refused");
	}
	receive(fd, (char *)reply + sizeof(*header), reply_len - sizeof(*header));
}

static void say_version(int fd)
{
	static const char json[] = "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,\"write_multiple\":true}}";
	struct {
		struct vfu_header header;
		struct vfu_version version;
		char json[sizeof(json)];
	} hello = { .header = { .command = VFU_VERSION, .size = 20 + sizeof(json) }, .version = { VFU_MAJOR, VFU_MINOR } };
	char rest[4096];
	struct vfu_header reply;

	memcpy(hello.json, json, sizeof(json));
	send_all(fd, &hello, hello.header.size);
	receive(fd, &reply, sizeof(reply));
	errno = 0;
	if (reply.flags & VFU_FLAG_ERROR || reply.size < 20 || reply.size > sizeof(rest))
		die("VERSION");
	receive(fd, rest, reply.size - sizeof(reply));
}

static struct write_request write_of(uint32_t region, uint64_t offset, uint32_t value, uint32_t flags)
{
	return (struct write_request){
		.header = { .command = VFU_REGION_WRITE, .size = sizeof(struct write_request), .flags = flags },
		.access = { .offset = offset, .region = region, .count = 4 },
		.value = value,
	};
}

static int open_device(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	/* Memory, I/O and bus mastering on. */
	struct write_request command = write_of(CONFIG_REGION, 4, 7, 0);
	char reply[32];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(path);
	say_version(fd);
	transact(fd, &command, sizeof(command), reply, sizeof(reply));
	return fd;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_median(const char *side, const char *name, double *samples)
{
	qsort(samples, ROUNDS, sizeof(*samples), compare);
	printf("%s_%s %.6g\n", side, name, samples[ROUNDS / 2]);
}

/* One round of reads; nanoseconds a message. */
static double read_round(int fd, unsigned int depth, size_t reply_len)
{
	struct read_request batch[MAX_DEPTH];
	char replies[MAX_DEPTH * 64];
	unsigned int batches = ROUND_MESSAGES / depth;
	uint64_t start;

	for (unsigned int i = 0; i < depth; i++)
		batch[i] = (struct read_request){
			.header = { .id = (uint16_t)i, .command = VFU_REGION_READ, .size = sizeof(batch[i]) },
			.access = { .offset = SCRATCH, .region = 0, .count = 4 },
		};
	start = now_ns();
	for (unsigned int i = 0; i < batches; i++) {
		send_all(fd, batch, depth * sizeof(batch[0]));
		receive(fd, replies, depth * reply_len);
	}
	return (double)(now_ns() - start) / (batches * depth);
}

/* One round of posted batches, and an answer behind the last; million writes a second. */
static double post_round(int fd, const void *batch, size_t len, bool is_floor)
{
	struct read_request sync = {
		.header = { .command = VFU_REGION_READ, .size = sizeof(sync) },
		.access = { .offset = SCRATCH, .region = 0, .count = 4 },
	};
	unsigned int batches = ROUND_MESSAGES * 4 / MAX_DEPTH;
	char reply[64];
	uint64_t start = now_ns();

	for (unsigned int i = 0; i < batches; i++)
		send_all(fd, batch, len);
	if (is_floor) {
		send_all(fd, "E", 1);
		receive(fd, reply, 1);
	} else {
		send_all(fd, &sync, sizeof(sync));
		receive(fd, reply, sizeof(sync) + 4);
	}
	return batches * MAX_DEPTH * 1000.0 / (double)(now_ns() - start);
}

static void measure_reads(int floor, int ours)
{
	static const unsigned int depths[] = { 1, 16 };

	for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		double floor_samples[ROUNDS], our_samples[ROUNDS];
		char name[32];

		for (int round = -1; round < ROUNDS; round++) {
			double f = read_round(floor, depths[i], sizeof(struct read_request));
			double o = read_round(ours, depths[i], sizeof(struct read_request) + 4);

			if (round >= 0) {
				floor_samples[round] = f;
				our_samples[round] = o;
			}
		}
		snprintf(name, sizeof(name), "read_%u_ns", depths[i]);
		print_median("floor", name, floor_samples);
		print_median("ours", name, our_samples);
	}
}

static void measure_posts(int sink, int ours, const char *name, const void *batch, size_t len)
{
	double floor_samples[ROUNDS], our_samples[ROUNDS];

	for (int round = -1; round < ROUNDS; round++) {
		double f = post_round(sink, batch, len, true);
		double o = post_round(ours, batch, len, false);

		if (round >= 0) {
			floor_samples[round] = f;
			our_samples[round] = o;
		}
	}
	print_median("floor", name, floor_samples);
	print_median("ours", name, our_samples);
}

/* The memory of BAR2, mapped from the descriptor that comes with its region info. */
static volatile uint32_t *map_bar2(int fd)
{
	struct {
		struct vfu_header header;
		struct vfu_region_info info;
	} request = { .header = { .command = VFU_DEVICE_GET_REGION_INFO, .size = sizeof(request) },
		      .info = { .argsz = 4096, .index = 2 } };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char reply[8192];
	struct iovec vec = { .iov_base = reply, .iov_len = sizeof(reply) };
	struct msghdr message = { .msg_iov = &vec, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct vfu_region_info info;
	int memory;
	void *bar;

	send_all(fd, &request, sizeof(request));
	if (recvmsg(fd, &message, 0) < (ssize_t)sizeof(request) || !CMSG_FIRSTHDR(&message))
		die("region info of BAR2");
	memcpy(&memory, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(memory));
	memcpy(&info, reply + sizeof(struct vfu_header), sizeof(info));
	bar = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, (off_t)info.offset);
	close(memory);
	if (bar == MAP_FAILED)
		die("mmap of BAR2");
	return bar;
}

static double touch_round(volatile uint32_t *word)
{
	const unsigned int count = 1u << 20;
	uint64_t start = now_ns();

	for (unsigned int i = 0; i < count; i++)
		word[i % 1024] = i;
	return (double)(now_ns() - start) / count;
}

static void measure_mapped(int ours)
{
	volatile uint32_t *bar = map_bar2(ours);
	volatile uint32_t *own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	double floor_samples[ROUNDS], our_samples[ROUNDS];

	for (int round = -1; round < ROUNDS; round++) {
		double f = touch_round(own), o = touch_round(bar);

		if (round >= 0) {
			floor_samples[round] = f;
			our_samples[round] = o;
		}
	}
	print_median("floor", "mapped_ns", floor_samples);
	print_median("ours", "mapped_ns", our_samples);
}

int main(int argc, char **argv)
{
	struct write_request writes[MAX_DEPTH];
	struct multi_request multi = { .header = { .command = VFU_REGION_WRITE_MULTI, .size = sizeof(multi), .flags = VFU_FLAG_NO_REPLY },
				       .multi.count = MAX_DEPTH };
	int echo, sink, ours, cpu;

	if (argc != 2 && argc != 3) {
		fprintf(stderr, "usage: %s SOCKET [CPU]\n", argv[0]);
		return 2;
	}
	cpu = argc == 3 ? atoi(argv[2]) : -1;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	for (unsigned int i = 0; i < MAX_DEPTH; i++) {
		writes[i] = write_of(0, SCRATCH, i, VFU_FLAG_NO_REPLY);
		multi.entries[i] = (struct vfu_write_multi_entry){ .offset = SCRATCH, .region = 0, .count = 4 };
	}
	echo = start_echo(cpu);
	sink = start_sink(cpu);
	ours = open_device(argv[1]);
	measure_reads(echo, ours);
	measure_posts(sink, ours, "posted_rate", writes, sizeof(writes));
	measure_posts(sink, ours, "multi_rate", &multi, sizeof(multi));
	measure_mapped(ours);
	return 0;
}
