/* SPDX-License-Identifier: MIT */
/* The server with a driver of a few lines: batches, refusals, clients that come, go, and are in the way. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memfd.h"
#include "tranche/mdev.h"
#include "tranche/server.h"
#include "tranche/wire/vfio_user.h"
#include "unit.h"

#define RAM_SIZE (4u << 20)
#define MAPPED_SIZE (8u << 12)

/* Region 0: RAM; 1: absent; 2: may be mapped, but for its second page; 3: all of it may be mapped, and has an own type. */
static struct {
	uint8_t ram[RAM_SIZE];
	int memfd;
	int doorbell;
	_Atomic int wired; /* duplicate of the last eventfd; -1 */
	struct trn_irq_set last_set;
	_Atomic unsigned int nr_opens, nr_closes, nr_resets;
	_Atomic int open_result;
	_Atomic int close_ms; /* how long a close takes */
	_Atomic int busy_ms; /* > 0: one use at a time, and how long a refusal takes */
} device;

static int op_init(struct trn_device *dev, struct trn_error *err)
{
	device.memfd = base_memfd_create("test", MAPPED_SIZE);
	device.doorbell = eventfd(0, EFD_CLOEXEC);
	device.wired = -1;
	return 0;
}

static void op_release(struct trn_device *dev)
{
	close(device.memfd);
	close(device.doorbell);
}

static int op_open(struct trn_use *use, struct trn_error *err)
{
	if (device.open_result < 0)
		return device.open_result;
	if (device.busy_ms && device.nr_opens != device.nr_closes) {
		poll(NULL, 0, device.busy_ms);
		return -EBUSY;
	}
	device.nr_opens++;
	return 0;
}

static void wire(int fd)
{
	int before = atomic_exchange(&device.wired, fd);

	if (before >= 0)
		close(before);
}

static void op_close(struct trn_use *use)
{
	poll(NULL, 0, device.close_ms);
	wire(-1);
	device.nr_closes++;
}

static int op_reset(struct trn_use *use)
{
	device.nr_resets++;
	return 0;
}

static void op_info(struct trn_use *use, struct trn_device_info *ret)
{
	*ret = (struct trn_device_info){ .flags = TRN_DEVICE_RESET | TRN_DEVICE_PCI, .nr_regions = 4, .nr_irqs = 2 };
}

static int op_caps(struct trn_use *use, uint32_t index, struct trn_caps *caps)
{
	static const uint32_t type[2] = { 1u << 31 | 0x1af4, 7 };

	if (index == 3)
		return trn_caps_add(caps, VFU_REGION_CAP_TYPE, 1, type, sizeof(type));
	return 0;
}

static int op_region_info(struct trn_use *use, uint32_t index, struct trn_region_info *ret)
{
	if (index == 0)
		*ret = (struct trn_region_info){ .size = RAM_SIZE, .flags = TRN_REGION_READ | TRN_REGION_WRITE };
	if (index == 2)
		*ret = (struct trn_region_info){ .size = MAPPED_SIZE, .flags = TRN_REGION_READ | TRN_REGION_MMAP };
	if (index == 3)
		*ret = (struct trn_region_info){ .size = 4096, .flags = TRN_REGION_READ | TRN_REGION_MMAP };
	return 0;
}

static int op_region_rw(struct trn_use *use, uint32_t index, uint64_t offset, void *buf, size_t len, int is_write)
{
	if (index != 0)
		return -EIO;
	if (is_write)
		memcpy(device.ram + offset, buf, len);
	else
		memcpy(buf, device.ram + offset, len);
	return 0;
}

static int op_region_fd(struct trn_use *use, uint32_t index, uint64_t *ret_offset)
{
	*ret_offset = index == 3 ? 4096 : 0;
	return fcntl(device.memfd, F_DUPFD_CLOEXEC, 0);
}

static ssize_t op_region_areas(struct trn_use *use, uint32_t index, struct trn_span *ret, size_t max)
{
	if (index == 3) {
		if (max)
			ret[0] = (struct trn_span){ .len = 4096 };
		return 1;
	}
	if (max >= 2) {
		ret[0] = (struct trn_span){ .start = 0, .len = 4096 };
		ret[1] = (struct trn_span){ .start = 8192, .len = MAPPED_SIZE - 8192 };
	}
	return 2;
}

static ssize_t op_region_ioeventfds(struct trn_use *use, uint32_t index, struct trn_ioeventfd *ret, size_t max)
{
	if (index != 0)
		return 0;
	for (unsigned int i = 0; i < 2 && max >= 2; i++)
		ret[i] = (struct trn_ioeventfd){
			.offset = 64 + i * 4,
			.size = 4,
			.datamatch = i * 7,
			.flags = i ? TRN_IOEVENTFD_DATAMATCH : 0,
			.fd = fcntl(device.doorbell, F_DUPFD_CLOEXEC, 0),
			.shadow_fd = i ? fcntl(device.memfd, F_DUPFD_CLOEXEC, 0) : -1,
			.shadow_offset = 512,
		};
	return 2;
}

static int op_irq_info(struct trn_use *use, uint32_t index, struct trn_irq_info *ret)
{
	if (index == 1)
		*ret = (struct trn_irq_info){ .count = 4, .flags = TRN_IRQ_EVENTFD | TRN_IRQ_MASKABLE };
	return 0;
}

static int op_set_irqs(struct trn_use *use, const struct trn_irq_set *set)
{
	device.last_set = *set;
	wire(set->data == TRN_IRQ_DATA_EVENTFD && set->fds[0] >= 0 ? fcntl(set->fds[0], F_DUPFD_CLOEXEC, 0) : -1);
	return 0;
}

static const struct trn_device_ops ops = {
	.name = "served",
	.device_api = "vfio-pci",
	.init = op_init,
	.release = op_release,
	.open = op_open,
	.close = op_close,
	.reset = op_reset,
	.info = op_info,
	.caps = op_caps,
	.region_info = op_region_info,
	.region_rw = op_region_rw,
	.region_fd = op_region_fd,
	.region_areas = op_region_areas,
	.region_ioeventfds = op_region_ioeventfds,
	.irq_info = op_irq_info,
	.set_irqs = op_set_irqs,
};

static struct trn_core *core;
static struct trn_parent *parent;
static struct trn_device *dev;
static struct trn_server *server;
static int sock = -1; /* of the client */

static void make_server(struct trn_server_params params)
{
	struct trn_error err = { 0 };

	params.dev = dev;
	if (trn_server_create(&params, &server, &err) < 0)
		fail_msg("%s", err.text);
}

static int connect_client(void)
{
	const struct timeval limit = { .tv_sec = 10 };
	struct trn_error err = { 0 };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (trn_server_connect(server, fds[1], &err) < 0)
		fail_msg("%s", err.text);
	return fds[0];
}

static int setup(void **state)
{
	static const struct trn_type_desc types[] = {
		{ .name = "one", .cost.amount[TRN_RESOURCE_SESSIONS] = 1 },
		{ .name = "two", .cost.amount[TRN_RESOURCE_SESSIONS] = 2 },
	};
	const struct trn_parent_desc desc = {
		.name = "served",
		.ops = &ops,
		.types = types,
		.nr_types = 2,
		.capacity.amount[TRN_RESOURCE_SESSIONS] = 8,
	};
	struct trn_create_params params = { .uuid = "00000000-0000-4000-8000-000000000001" };

	device.nr_opens = device.nr_closes = device.nr_resets = 0;
	device.open_result = device.close_ms = device.busy_ms = 0;
	memset(device.ram, 0, 4096);
	core = trn_core_create();
	assert_int_equal(trn_parent_register(core, &desc, &parent, NULL), 0);
	assert_int_equal(trn_device_create(trn_type_find(parent, state ? "served-two" : "served-one"), &params, &dev, NULL), 0);
	make_server((struct trn_server_params){ 0 });
	sock = connect_client();
	return 0;
}

static int setup_one_session(void **state)
{
	return setup(NULL);
}

static int teardown(void **state)
{
	trn_server_destroy(server);
	if (sock >= 0)
		close(sock);
	assert_int_equal(device.nr_opens, device.nr_closes);
	trn_device_unref(dev);
	assert_int_equal(trn_parent_unregister(parent, NULL, NULL), 0);
	trn_parent_unref(parent);
	trn_core_destroy(core);
	return 0;
}

/* --- a client --- */

struct reply {
	struct vfu_header header;
	uint8_t payload[1 << 16];
	size_t len;
	int fds[16];
	size_t nr_fds;
};

static void send_with_fds(int to, const void *data, size_t len, const int *fds, size_t nr_fds)
{
	union {
		char buf[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nr_fds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, nr_fds * sizeof(int));
	}
	assert_int_equal(sendmsg(to, &msg, MSG_NOSIGNAL), len);
}

/* A message in buf; returns its length. */
static size_t put(uint8_t *buf, uint16_t id, uint16_t command, uint32_t flags, const void *payload, size_t len)
{
	struct vfu_header h = { .id = id, .command = command, .size = (uint32_t)(sizeof(h) + len), .flags = flags };

	memcpy(buf, &h, sizeof(h));
	if (len)
		memcpy(buf + sizeof(h), payload, len);
	return h.size;
}

static void send_fds(int to, uint16_t id, uint16_t command, uint32_t flags, const void *payload, size_t len, const int *fds,
		     size_t nr_fds)
{
	uint8_t buf[4096];

	send_with_fds(to, buf, put(buf, id, command, flags, payload, len), fds, nr_fds);
}

static void send_command(int to, uint16_t id, uint16_t command, const void *payload, size_t len)
{
	send_fds(to, id, command, 0, payload, len, NULL, 0);
}

static void receive(int from, struct reply *ret)
{
	union {
		char buf[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = &ret->header, .iov_len = sizeof(ret->header) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c;

	assert_int_equal(recvmsg(from, &msg, MSG_WAITALL | MSG_CMSG_CLOEXEC), sizeof(ret->header));
	c = CMSG_FIRSTHDR(&msg);
	ret->nr_fds = 0;
	if (c) {
		ret->nr_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(ret->fds, CMSG_DATA(c), ret->nr_fds * sizeof(int));
	}
	ret->len = ret->header.size - sizeof(ret->header);
	assert_true(ret->len <= sizeof(ret->payload));
	if (ret->len)
		assert_int_equal(recv(from, ret->payload, ret->len, MSG_WAITALL), ret->len);
	assert_int_equal(ret->header.flags & VFU_FLAG_TYPE_MASK, VFU_FLAG_REPLY);
}

static void expect_reply(int from, uint16_t id, uint16_t command, struct reply *ret)
{
	receive(from, ret);
	assert_int_equal(ret->header.id, id);
	assert_int_equal(ret->header.command, command);
	assert_int_equal(ret->header.error, 0);
	assert_int_equal(ret->header.flags, VFU_FLAG_REPLY);
}

static void expect_error(int from, uint16_t id, int error)
{
	struct reply r;

	receive(from, &r);
	assert_int_equal(r.header.id, id);
	assert_int_equal(r.header.flags, VFU_FLAG_REPLY | VFU_FLAG_ERROR);
	assert_int_equal(r.header.error, error);
	assert_int_equal(r.header.size, sizeof(r.header));
	assert_int_equal(r.nr_fds, 0);
}

static void send_version(int to, uint16_t id, uint16_t major, uint16_t minor, const char *text, size_t len)
{
	uint8_t buf[4096];
	struct vfu_version v = { .major = major, .minor = minor };

	memcpy(buf, &v, sizeof(v));
	memcpy(buf + sizeof(v), text, len);
	send_command(to, id, VFU_VERSION, buf, sizeof(v) + len);
}

#define CAPS "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,\"pgsizes\":4096,\"write_multiple\":true}}"

static void hello(int to)
{
	struct reply r;

	send_version(to, 1, 0, 1, CAPS, sizeof(CAPS));
	expect_reply(to, 1, VFU_VERSION, &r);
}

static void close_fds(struct reply *r)
{
	while (r->nr_fds)
		close(r->fds[--r->nr_fds]);
}

static size_t put_read(uint8_t *buf, uint16_t id, uint64_t offset, uint32_t count)
{
	struct vfu_region_access a = { .offset = offset, .count = count };

	return put(buf, id, VFU_REGION_READ, 0, &a, sizeof(a));
}

static size_t put_write(uint8_t *buf, uint16_t id, uint32_t flags, uint64_t offset, const void *data, uint32_t count)
{
	uint8_t payload[1024];
	struct vfu_region_access a = { .offset = offset, .count = count };

	memcpy(payload, &a, sizeof(a));
	memcpy(payload + sizeof(a), data, count);
	return put(buf, id, VFU_REGION_WRITE, flags, payload, sizeof(a) + count);
}

static bool is_gone(int from)
{
	char byte;

	return recv(from, &byte, 1, 0) == 0;
}

static void eventually(bool (*check)(void))
{
	for (int i = 0; i < 1000 && !check(); i++)
		poll(NULL, 0, 5);
	assert_true(check());
}

static bool has_no_clients(void)
{
	return trn_server_nr_clients(server) == 0;
}

/* --- the tests --- */

static void test_version(void **state)
{
	struct reply r;

	assert_int_equal(trn_server_nr_clients(server), 0);
	send_version(sock, 9, 0, 7, CAPS, sizeof(CAPS));
	expect_reply(sock, 9, VFU_VERSION, &r);
	assert_memory_equal(r.payload, ((const struct vfu_version[]){ { 0, 1 } }), 4);
	assert_int_equal(r.payload[r.len - 1], 0);
	assert_non_null(strstr((char *)r.payload + 4, "\"max_msg_fds\":16"));
	assert_non_null(strstr((char *)r.payload + 4, "\"max_data_xfer_size\":1048576"));
	assert_non_null(strstr((char *)r.payload + 4, "\"max_dma_maps\":65535"));
	assert_non_null(strstr((char *)r.payload + 4, "\"write_multiple\":true"));
	assert_null(strstr((char *)r.payload + 4, "twin"));
	assert_null(strstr((char *)r.payload + 4, "migration"));
	assert_int_equal(trn_server_nr_clients(server), 1);
	assert_int_equal(device.nr_opens, 1);
	send_version(sock, 10, 0, 1, CAPS, sizeof(CAPS)); /* once only */
	expect_error(sock, 10, EINVAL);
}

static void test_version_without_text_is_modest(void **state)
{
	struct reply r;

	send_version(sock, 1, 0, 0, "", 0);
	expect_reply(sock, 1, VFU_VERSION, &r);
	assert_memory_equal(r.payload, ((const struct vfu_version[]){ { 0, 0 } }), 4);
	assert_null(strstr((char *)r.payload + 4, "write_multiple"));
}

static void test_versions_that_are_refused(void **state)
{
	static const char *const wrong[] = {
		"", "{", "[]", "1", "{\"capabilities\":1}", "{\"capabilities\":{\"max_msg_fds\":-1}}",
		"{\"capabilities\":{\"max_data_xfer_size\":0}}", "{\"capabilities\":{\"max_dma_maps\":\"many\"}}",
		"{\"capabilities\":{\"max_dma_maps\":1.5}}", "{\"capabilities\":{\"write_multiple\":1}}",
		"{\"capabilities\":{\"twin_socket\":true}}", "{\"capabilities\":{\"twin_socket\":{\"supported\":2}}}",
		"{\"capabilities\":{\"pgsizes\":0}}", "{\"capabilities\":{\"pgsizes\":-99999999999999999999}}",
	};
	char deep[64] = "{\"x\":";

	for (uint16_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		send_version(sock, i, 0, 1, wrong[i], strlen(wrong[i]) + 1);
		expect_error(sock, i, EINVAL);
	}
	memset(deep + 5, '[', 20);
	memset(deep + 25, ']', 20);
	deep[45] = '}';
	send_version(sock, 50, 0, 1, deep, strlen(deep) + 1);
	expect_error(sock, 50, EINVAL);
	send_version(sock, 51, 0, 1, CAPS, sizeof(CAPS) - 1); /* no NUL */
	expect_error(sock, 51, EINVAL);
	send_version(sock, 52, 0, 1, CAPS "\0 and more", sizeof(CAPS) + 10);
	expect_error(sock, 52, EINVAL);
	send_version(sock, 53, 1, 0, CAPS, sizeof(CAPS));
	expect_error(sock, 53, EPROTONOSUPPORT);
	send_command(sock, 54, VFU_VERSION, "", 2 - 1);
	expect_error(sock, 54, EINVAL);
	assert_int_equal(device.nr_opens, 0);
	hello(sock);
}

static void test_nothing_comes_before_version(void **state)
{
	uint8_t buf[64];

	send_with_fds(sock, buf, put_read(buf, 3, 0, 4), NULL, 0);
	expect_error(sock, 3, EINVAL);
	send_command(sock, 4, VFU_DEVICE_RESET, NULL, 0);
	expect_error(sock, 4, EINVAL);
	hello(sock);
}

static void test_a_driver_may_refuse_and_be_asked_again(void **state)
{
	device.open_result = -ENOSPC;
	send_version(sock, 1, 0, 1, CAPS, sizeof(CAPS));
	expect_error(sock, 1, ENOSPC);
	device.open_result = 0;
	hello(sock);
}

static void test_a_twin_socket(void **state)
{
	static const char caps[] = "{\"capabilities\":{\"twin_socket\":{\"supported\":true}}}";
	struct reply r;

	send_version(sock, 1, 0, 1, caps, sizeof(caps));
	expect_reply(sock, 1, VFU_VERSION, &r);
	assert_non_null(strstr((char *)r.payload + 4, "\"twin_socket\":{\"supported\":true,\"fd_index\":0}"));
	assert_int_equal(r.nr_fds, 1);
	close_fds(&r);
}

static void test_a_batch_in_order(void **state)
{
	uint8_t buf[8192];
	uint32_t value;
	struct reply r;
	size_t len = 0;

	hello(sock);
	/* write with reply, posted write, read of both, 16 times: one send */
	for (uint16_t i = 0; i < 16; i++) {
		value = 0x1000u + i;
		len += put_write(buf + len, (uint16_t)(i * 3), 0, i * 8u, &value, 4);
		value = 0x2000u + i;
		len += put_write(buf + len, 999, VFU_FLAG_NO_REPLY, i * 8u + 4, &value, 4);
		len += put_read(buf + len, (uint16_t)(i * 3 + 1), i * 8u, 8);
	}
	send_with_fds(sock, buf, len, NULL, 0);
	for (uint16_t i = 0; i < 16; i++) {
		const uint32_t want[2] = { 0x1000u + i, 0x2000u + i };

		expect_reply(sock, (uint16_t)(i * 3), VFU_REGION_WRITE, &r);
		assert_int_equal(r.len, 16);
		expect_reply(sock, (uint16_t)(i * 3 + 1), VFU_REGION_READ, &r);
		assert_int_equal(r.len, 16 + 8);
		assert_memory_equal(r.payload + 16, want, 8);
	}
}

static void test_accesses_that_are_refused(void **state)
{
	const struct {
		struct vfu_region_access a;
		int error;
	} wrong[] = {
		{ { .region = 9, .count = 4 }, EINVAL },
		{ { .region = 1, .count = 4 }, EINVAL },
		{ { .region = 0, .offset = RAM_SIZE - 3, .count = 4 }, EINVAL },
		{ { .region = 0, .offset = UINT64_MAX - 1, .count = 4 }, EINVAL },
		{ { .region = 0, .count = (1u << 20) + 1 }, E2BIG },
		{ { .region = 2, .count = 4 }, EIO },
	};
	struct vfu_region_access a = { .count = 4 };
	uint8_t buf[64] = { 0 };

	hello(sock);
	for (uint16_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		send_command(sock, i, VFU_REGION_READ, &wrong[i].a, sizeof(a));
		expect_error(sock, i, wrong[i].error);
	}
	send_command(sock, 20, VFU_REGION_READ, &a, sizeof(a) - 1);
	expect_error(sock, 20, EINVAL);
	memcpy(buf, &a, sizeof(a));
	send_command(sock, 21, VFU_REGION_READ, buf, sizeof(a) + 4);
	expect_error(sock, 21, EINVAL);
	send_command(sock, 22, VFU_REGION_WRITE, buf, sizeof(a) + 3);
	expect_error(sock, 22, EINVAL);
	send_command(sock, 23, VFU_REGION_WRITE, buf, sizeof(a) + 5);
	expect_error(sock, 23, EINVAL);
	send_command(sock, 24, VFU_REGION_WRITE, buf, 3);
	expect_error(sock, 24, EINVAL);
	a.region = 2;
	memcpy(buf, &a, sizeof(a));
	send_command(sock, 25, VFU_REGION_WRITE, buf, sizeof(a) + 4);
	expect_error(sock, 25, EACCES);
	/* No reply means no error either. */
	send_fds(sock, 26, VFU_REGION_WRITE, VFU_FLAG_NO_REPLY, buf, 3, NULL, 0);
	send_command(sock, 27, 77, NULL, 0);
	expect_error(sock, 27, ENOSYS);
	send_command(sock, 28, VFU_DMA_READ, NULL, 0);
	expect_error(sock, 28, ENOSYS);
	send_command(sock, 29, 14, NULL, 0);
	expect_error(sock, 29, ENOSYS);
	send_fds(sock, 30, VFU_REGION_READ, 1u << 6, &a, sizeof(a), NULL, 0);
	expect_error(sock, 30, EINVAL);
}

static void test_megabytes(void **state)
{
	static uint8_t data[(1u << 20) + 32], back[1u << 20];
	struct vfu_header h = { .id = 5, .command = VFU_REGION_WRITE, .size = sizeof(data) };
	struct vfu_region_access a = { .offset = 4096, .count = 1u << 20 };
	struct reply r;

	hello(sock);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 11 >> 3);
	memcpy(data, &h, sizeof(h));
	memcpy(data + sizeof(h), &a, sizeof(a));
	for (size_t i = 0; i < 2; i++) {
		send_with_fds(sock, data, sizeof(data), NULL, 0);
		expect_reply(sock, 5, VFU_REGION_WRITE, &r);
	}
	/* Many large replies to a few small requests of one read. */
	for (uint16_t i = 0; i < 4; i++)
		send_command(sock, i, VFU_REGION_READ, &a, sizeof(a));
	for (uint16_t i = 0; i < 4; i++) {
		assert_int_equal(recv(sock, &h, sizeof(h), MSG_WAITALL), sizeof(h));
		assert_int_equal(h.id, i);
		assert_int_equal(h.size, sizeof(h) + sizeof(a) + sizeof(back));
		assert_int_equal(recv(sock, &a, sizeof(a), MSG_WAITALL), sizeof(a));
		assert_int_equal(recv(sock, back, sizeof(back), MSG_WAITALL), sizeof(back));
		assert_memory_equal(back, data + 32, sizeof(back));
	}
}

static void test_a_message_over_the_limit(void **state)
{
	static uint8_t data[3u << 20];
	struct vfu_header h = { .id = 5, .command = VFU_REGION_WRITE, .size = sizeof(data) };
	uint8_t buf[64];
	struct reply r;

	hello(sock);
	memcpy(data, &h, sizeof(h));
	send_with_fds(sock, data, sizeof(data), NULL, 0);
	expect_error(sock, 5, E2BIG);
	send_with_fds(sock, buf, put_read(buf, 6, 0, 4), NULL, 0);
	expect_reply(sock, 6, VFU_REGION_READ, &r);
}

static void test_an_unreadable_header_ends_the_connection(void **state)
{
	struct vfu_header h = { .size = 15 };

	hello(sock);
	send_with_fds(sock, &h, sizeof(h), NULL, 0);
	assert_true(is_gone(sock));
	eventually(has_no_clients);
}

static void test_write_multi(void **state)
{
	struct {
		struct vfu_write_multi head;
		struct vfu_write_multi_entry e[3];
	} m = { .head.count = 3 };
	uint64_t count;
	struct reply r;

	hello(sock);
	for (uint32_t i = 0; i < 3; i++)
		m.e[i] = (struct vfu_write_multi_entry){ .offset = i * 16, .count = 8, .data = { 1, 2, 3, 4, 5, 6, 7, (uint8_t)i } };
	send_command(sock, 1, VFU_REGION_WRITE_MULTI, &m, sizeof(m));
	expect_reply(sock, 1, VFU_REGION_WRITE_MULTI, &r);
	memcpy(&count, r.payload, sizeof(count));
	assert_int_equal(count, 3);
	assert_memory_equal(device.ram + 32, m.e[2].data, 8);
	/* One fails: the others are done. */
	m.e[1].region = 8;
	m.e[2].data[7] = 99;
	send_command(sock, 2, VFU_REGION_WRITE_MULTI, &m, sizeof(m));
	expect_reply(sock, 2, VFU_REGION_WRITE_MULTI, &r);
	memcpy(&count, r.payload, sizeof(count));
	assert_int_equal(count, 2);
	assert_int_equal(device.ram[39], 99);
	/* One is none: nothing is done. */
	m.e[2].data[7] = 100;
	m.e[0].count = 9;
	send_command(sock, 3, VFU_REGION_WRITE_MULTI, &m, sizeof(m));
	expect_error(sock, 3, EINVAL);
	m.e[0].count = 8;
	m.head.count = UINT64_MAX / 24 + 2;
	send_command(sock, 4, VFU_REGION_WRITE_MULTI, &m, sizeof(m));
	expect_error(sock, 4, EINVAL);
	m.head.count = 2;
	send_command(sock, 5, VFU_REGION_WRITE_MULTI, &m, sizeof(m));
	expect_error(sock, 5, EINVAL);
	send_command(sock, 6, VFU_REGION_WRITE_MULTI, &m, 7);
	expect_error(sock, 6, EINVAL);
	assert_int_equal(device.ram[39], 99);
}

static void test_write_multi_must_be_agreed_on(void **state)
{
	struct vfu_write_multi m = { 0 };
	struct reply r;

	send_version(sock, 1, 0, 1, "{}", 3);
	expect_reply(sock, 1, VFU_VERSION, &r);
	send_command(sock, 2, VFU_REGION_WRITE_MULTI, &m, sizeof(m));
	expect_error(sock, 2, EOPNOTSUPP);
}

static void test_device_and_irq_info(void **state)
{
	struct vfu_device_info info = { .argsz = sizeof(info) };
	struct vfu_irq_info irq = { .argsz = sizeof(irq), .index = 1 };
	struct reply r;

	hello(sock);
	send_command(sock, 1, VFU_DEVICE_GET_INFO, &info, sizeof(info));
	expect_reply(sock, 1, VFU_DEVICE_GET_INFO, &r);
	info = (struct vfu_device_info){ 16, VFU_DEVICE_FLAG_RESET | VFU_DEVICE_FLAG_PCI, 4, 2 };
	assert_int_equal(r.len, sizeof(info));
	assert_memory_equal(r.payload, &info, sizeof(info));
	info.argsz = 15;
	send_command(sock, 2, VFU_DEVICE_GET_INFO, &info, sizeof(info));
	expect_error(sock, 2, EINVAL);
	send_command(sock, 3, VFU_DEVICE_GET_INFO, &info, 15);
	expect_error(sock, 3, EINVAL);

	send_command(sock, 4, VFU_DEVICE_GET_IRQ_INFO, &irq, sizeof(irq));
	expect_reply(sock, 4, VFU_DEVICE_GET_IRQ_INFO, &r);
	assert_memory_equal(r.payload, ((const struct vfu_irq_info[]){ { 16, 3, 1, 4 } }), 16);
	irq.index = 0; /* there are none of that kind */
	send_command(sock, 5, VFU_DEVICE_GET_IRQ_INFO, &irq, sizeof(irq));
	expect_reply(sock, 5, VFU_DEVICE_GET_IRQ_INFO, &r);
	irq.index = 2;
	send_command(sock, 6, VFU_DEVICE_GET_IRQ_INFO, &irq, sizeof(irq));
	expect_error(sock, 6, EINVAL);
}

static void ask_region(uint32_t index, uint32_t argsz, struct vfu_region_info *ret, struct reply *r)
{
	struct vfu_region_info info = { .argsz = argsz, .index = index };

	send_command(sock, 3, VFU_DEVICE_GET_REGION_INFO, &info, sizeof(info));
	expect_reply(sock, 3, VFU_DEVICE_GET_REGION_INFO, r);
	memcpy(ret, r->payload, sizeof(*ret));
}

static void test_region_info(void **state)
{
	struct vfu_region_info info;
	struct vfu_cap_header cap;
	struct vfu_sparse sparse;
	struct vfu_sparse_area area;
	struct reply r;

	hello(sock);
	ask_region(0, 32, &info, &r);
	assert_int_equal(r.len, 32);
	assert_int_equal(info.argsz, 32);
	assert_int_equal(info.size, RAM_SIZE);
	assert_int_equal(info.flags, VFU_REGION_FLAG_READ | VFU_REGION_FLAG_WRITE);
	assert_int_equal(r.nr_fds, 0);
	ask_region(1, 32, &info, &r);
	assert_int_equal(info.size, 0);
	assert_int_equal(info.flags, 0);

	/* No room for the capability: what is needed is said, and no chain. */
	ask_region(2, 32, &info, &r);
	assert_int_equal(r.len, 32);
	assert_int_equal(info.argsz, 32 + 8 + 8 + 2 * 16);
	assert_int_equal(info.flags, VFU_REGION_FLAG_READ | VFU_REGION_FLAG_MMAP);
	assert_int_equal(r.nr_fds, 1);
	close_fds(&r);
	ask_region(2, info.argsz, &info, &r);
	assert_int_equal(r.len, info.argsz);
	assert_int_equal(info.flags, VFU_REGION_FLAG_READ | VFU_REGION_FLAG_MMAP | VFU_REGION_FLAG_CAPS);
	assert_int_equal(info.cap_offset, 32);
	memcpy(&cap, r.payload + 32, sizeof(cap));
	memcpy(&sparse, r.payload + 40, sizeof(sparse));
	memcpy(&area, r.payload + 64, sizeof(area));
	assert_int_equal(cap.id, VFU_REGION_CAP_SPARSE_MMAP);
	assert_int_equal(sparse.nr_areas, 2);
	assert_int_equal(area.offset, 8192);
	assert_int_equal(area.size, MAPPED_SIZE - 8192);
	assert_int_equal(r.nr_fds, 1);
	close_fds(&r);

	ask_region(3, 4096, &info, &r); /* all of it: no list, but a type */
	memcpy(&cap, r.payload + 32, sizeof(cap));
	assert_int_equal(cap.id, VFU_REGION_CAP_TYPE);
	assert_int_equal(info.argsz, 32 + 16);
	assert_int_equal(info.offset, 4096);
	assert_int_equal(r.nr_fds, 1);
	close_fds(&r);
}

/* A reply with descriptors among others: they lie on its first byte. */
static void test_fds_in_the_midst_of_a_batch(void **state)
{
	struct vfu_region_info info = { .argsz = 4096, .index = 2 };
	uint8_t buf[1024];
	struct reply r;
	size_t len = 0;

	hello(sock);
	for (uint16_t i = 0; i < 6; i++)
		if (i % 3 == 1)
			len += put(buf + len, i, VFU_DEVICE_GET_REGION_INFO, 0, &info, sizeof(info));
		else
			len += put_read(buf + len, i, 0, 4);
	send_with_fds(sock, buf, len, NULL, 0);
	for (uint16_t i = 0; i < 6; i++) {
		expect_reply(sock, i, i % 3 == 1 ? VFU_DEVICE_GET_REGION_INFO : VFU_REGION_READ, &r);
		assert_int_equal(r.nr_fds, i % 3 == 1);
		close_fds(&r);
	}
}

static void test_a_client_that_takes_no_fds(void **state)
{
	static const char caps[] = "{\"capabilities\":{\"max_msg_fds\":0,\"twin_socket\":{\"supported\":true}}}";
	struct vfu_region_info info;
	struct reply r;

	send_version(sock, 1, 0, 1, caps, sizeof(caps));
	expect_reply(sock, 1, VFU_VERSION, &r);
	assert_int_equal(r.nr_fds, 0);
	ask_region(2, 4096, &info, &r);
	assert_int_equal(info.flags, VFU_REGION_FLAG_READ);
	assert_int_equal(r.nr_fds, 0);
}

static void test_io_fds(void **state)
{
	struct vfu_region_io_fds io = { .argsz = 16 }, out;
	struct vfu_ioeventfd e[2];
	struct reply r;

	hello(sock);
	send_command(sock, 1, VFU_DEVICE_GET_REGION_IO_FDS, &io, sizeof(io));
	expect_reply(sock, 1, VFU_DEVICE_GET_REGION_IO_FDS, &r);
	memcpy(&out, r.payload, sizeof(out));
	assert_int_equal(r.len, 16);
	assert_int_equal(out.argsz, 16 + 2 * 48);
	assert_int_equal(out.count, 2);
	assert_int_equal(r.nr_fds, 0);
	io.argsz = out.argsz;
	send_command(sock, 2, VFU_DEVICE_GET_REGION_IO_FDS, &io, sizeof(io));
	expect_reply(sock, 2, VFU_DEVICE_GET_REGION_IO_FDS, &r);
	assert_int_equal(r.len, 16 + 2 * 48);
	memcpy(e, r.payload + 16, sizeof(e));
	assert_int_equal(r.nr_fds, 3);
	assert_int_equal(e[0].type, VFU_IO_FD_IOEVENTFD);
	assert_int_equal(e[1].type, VFU_IO_FD_IOEVENTFD_SHADOW);
	assert_int_equal(e[0].fd_index + 10 * e[1].fd_index + 100 * e[1].shadow_mem_fd_index, 210);
	assert_int_equal(e[1].flags, VFU_IOEVENTFD_DATAMATCH);
	assert_int_equal(e[1].datamatch, 7);
	assert_int_equal(e[1].shadow_offset, 512);
	close_fds(&r);
	for (uint32_t i = 1; i < 3; i++) { /* absent, without any */
		io.index = i;
		send_command(sock, 3, VFU_DEVICE_GET_REGION_IO_FDS, &io, sizeof(io));
		expect_reply(sock, 3, VFU_DEVICE_GET_REGION_IO_FDS, &r);
		assert_int_equal(r.len, 16);
	}
	for (int i = 0; i < 4; i++) {
		io = (struct vfu_region_io_fds){
			.argsz = i == 0 ? 15 : 16, .flags = i == 1, .count = i == 2, .index = i == 3 ? 4 : 0
		};
		send_command(sock, 4, VFU_DEVICE_GET_REGION_IO_FDS, &io, sizeof(io));
		expect_error(sock, 4, EINVAL);
	}
}

static void set_irqs(uint16_t id, uint32_t flags, uint32_t start, uint32_t count, size_t nr_bytes, const int *fds, size_t nr_fds)
{
	struct {
		struct vfu_irq_set set;
		uint8_t bytes[16];
	} m = { { 20, flags, 1, start, count }, { 1, 0, 1 } };

	send_fds(sock, id, VFU_DEVICE_SET_IRQS, 0, &m, sizeof(m.set) + nr_bytes, fds, nr_fds);
}

static void test_set_irqs(void **state)
{
	const uint32_t eventfds = VFU_IRQ_SET_DATA_EVENTFD | VFU_IRQ_SET_ACTION_TRIGGER;
	int fds[5], i;
	struct reply r;

	hello(sock);
	for (i = 0; i < 5; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC);
	set_irqs(1, eventfds, 1, 3, 0, fds, 3);
	expect_reply(sock, 1, VFU_DEVICE_SET_IRQS, &r);
	assert_int_equal(r.len, 0);
	assert_int_equal(device.last_set.start + 10 * device.last_set.count, 31);
	assert_true(device.wired >= 0);
	set_irqs(2, eventfds, 1, 2, 0, NULL, 0);
	expect_reply(sock, 2, VFU_DEVICE_SET_IRQS, &r);
	assert_true(device.wired < 0);
	set_irqs(3, VFU_IRQ_SET_DATA_BOOL | VFU_IRQ_SET_ACTION_MASK, 0, 3, 3, NULL, 0);
	expect_reply(sock, 3, VFU_DEVICE_SET_IRQS, &r);
	assert_int_equal(device.last_set.action, TRN_IRQ_MASK);
	set_irqs(4, VFU_IRQ_SET_DATA_NONE | VFU_IRQ_SET_ACTION_TRIGGER, 0, 0, 0, NULL, 0);
	expect_reply(sock, 4, VFU_DEVICE_SET_IRQS, &r);

	set_irqs(10, eventfds, 0, 2, 0, fds, 3);
	expect_error(sock, 10, EINVAL);
	set_irqs(11, eventfds, 0, 5, 0, fds, 5);
	expect_error(sock, 11, EINVAL);
	set_irqs(12, eventfds, 0xffffffff, 2, 0, NULL, 0);
	expect_error(sock, 12, EINVAL);
	set_irqs(13, eventfds, 0, 0x40000000, 0, NULL, 0);
	expect_error(sock, 13, EINVAL);
	set_irqs(14, VFU_IRQ_SET_DATA_BOOL | VFU_IRQ_SET_ACTION_MASK, 0, 4, 3, NULL, 0);
	expect_error(sock, 14, EINVAL);
	set_irqs(15, VFU_IRQ_SET_DATA_NONE, 0, 1, 0, NULL, 0);
	expect_error(sock, 15, EINVAL);
	set_irqs(16, VFU_IRQ_SET_ACTION_TRIGGER, 0, 1, 0, NULL, 0);
	expect_error(sock, 16, EINVAL);
	set_irqs(17, eventfds | VFU_IRQ_SET_ACTION_MASK, 0, 1, 0, NULL, 0);
	expect_error(sock, 17, EINVAL);
	set_irqs(18, eventfds | 1u << 6, 0, 1, 0, NULL, 0);
	expect_error(sock, 18, EINVAL);
	i = fds[0];
	fds[0] = sock; /* what a device could wait for */
	set_irqs(19, eventfds, 0, 1, 0, fds, 1);
	expect_error(sock, 19, EINVAL);
	fds[0] = i;
	for (i = 0; i < 5; i++)
		close(fds[i]);
}

static void test_reset(void **state)
{
	struct reply r;

	hello(sock);
	send_command(sock, 1, VFU_DEVICE_RESET, NULL, 0);
	expect_reply(sock, 1, VFU_DEVICE_RESET, &r);
	assert_int_equal(device.nr_resets, 1);
	send_command(sock, 2, VFU_DEVICE_RESET, "x", 1);
	expect_error(sock, 2, EINVAL);
	assert_int_equal(device.nr_resets, 1);
}

static void test_what_nobody_wanted_is_closed(void **state)
{
	int before = unit_count_fds(), fds[16], fd = eventfd(0, EFD_CLOEXEC);
	uint8_t buf[64];
	struct reply r;

	for (size_t i = 0; i < 16; i++)
		fds[i] = fd;
	hello(sock);
	send_with_fds(sock, buf, put_read(buf, 1, 0, 4), fds, 16);
	expect_reply(sock, 1, VFU_REGION_READ, &r);
	close(fd);
	/* Its next answer comes when the descriptors are closed. */
	send_with_fds(sock, buf, put_read(buf, 2, 0, 4), NULL, 0);
	expect_reply(sock, 2, VFU_REGION_READ, &r);
	assert_int_equal(unit_count_fds(), before);
}

static void test_the_next_client_finds_the_device_as_it_was(void **state)
{
	uint8_t buf[64];
	struct reply r;

	hello(sock);
	send_with_fds(sock, buf, put_write(buf, 1, VFU_FLAG_NO_REPLY, 16, "kept", 4), NULL, 0);
	close(sock); /* the server finds out later than the next client comes */
	sock = connect_client();
	hello(sock);
	send_with_fds(sock, buf, put_read(buf, 2, 16, 4), NULL, 0);
	expect_reply(sock, 2, VFU_REGION_READ, &r);
	assert_memory_equal(r.payload + 16, "kept", 4);
	assert_int_equal(device.nr_opens, 2);
	assert_int_equal(trn_server_nr_clients(server), 1);
}

static void test_a_device_with_one_place(void **state)
{
	int other;

	hello(sock);
	other = connect_client();
	send_version(other, 1, 0, 1, CAPS, sizeof(CAPS));
	expect_error(other, 1, EUSERS);
	device.close_ms = 100;
	close(sock);
	sock = other;
	hello(sock);
}

/* At whatever point of its end the former connection is; the last times: it is gone when the refusal is there. */
static void test_one_client_after_the_other(void **state)
{
	for (int i = 0; i < 200; i++) {
		if (i == 195) {
			device.close_ms = 20;
			device.busy_ms = 60;
		}
		hello(sock);
		close(sock);
		sock = connect_client();
	}
}

static void test_two_clients_at_once(void **state)
{
	int other = connect_client();
	uint8_t buf[64];
	struct reply r;

	hello(sock);
	hello(other);
	assert_int_equal(trn_server_nr_clients(server), 2);
	/* One stops in the midst of a message and holds up nobody. */
	send_with_fds(sock, buf, put_write(buf, 1, 0, 0, "abcd", 4) - 1, NULL, 0);
	send_with_fds(other, buf, put_read(buf, 2, 0, 4), NULL, 0);
	expect_reply(other, 2, VFU_REGION_READ, &r);
	close(other);
}

static void test_max_clients(void **state)
{
	struct trn_error err = { 0 };
	int fds[2];

	trn_server_destroy(server);
	close(sock);
	make_server((struct trn_server_params){ .max_clients = 1 });
	sock = connect_client();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(trn_server_connect(server, fds[1], &err), -EUSERS);
	assert_true(is_gone(fds[0]));
	close(fds[0]);
	hello(sock);
	device.close_ms = 100;
	close(sock);
	sock = connect_client(); /* the former one is on its way out */
	hello(sock);
}

static void test_the_rest_of_a_message_has_its_time(void **state)
{
	uint8_t buf[64];
	struct reply r;

	trn_server_destroy(server);
	close(sock);
	make_server((struct trn_server_params){ .wait_ms = 50 });
	sock = connect_client();
	hello(sock);
	poll(NULL, 0, 120); /* silence is no message */
	send_with_fds(sock, buf, put_read(buf, 2, 0, 4), NULL, 0);
	expect_reply(sock, 2, VFU_REGION_READ, &r);
	send_with_fds(sock, buf, 20, NULL, 0);
	assert_true(is_gone(sock));
}

static void test_listening(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sa_family_t);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), client;

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0); /* a name of the kernel's choice */
	assert_int_equal(listen(fd, 4), 0);
	len = sizeof(addr);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(trn_server_listen(server, fd, NULL), 0);
	assert_int_equal(trn_server_listen(server, dup(fd), NULL), -EBUSY);
	for (int i = 0; i < 3; i++) {
		client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(client, (struct sockaddr *)&addr, len), 0);
		hello(client);
		close(client);
	}
}

static void test_limits_that_are_refused(void **state)
{
	const struct trn_server_params wrong[] = {
		{ .dev = dev, .max_msg_fds = 65 },
		{ .dev = dev, .max_data_xfer_size = (16u << 20) + 1 },
		{ .dev = dev, .wait_ms = -1 },
	};
	struct trn_server *none = NULL;
	struct trn_error err = { 0 };

	for (size_t i = 0; i < 3; i++) {
		int r = trn_server_create(&wrong[i], &none, &err);

		assert_refused(r, err, -EINVAL, "BadLimit");
		assert_null(none);
	}
}

/* A client that never reads: its thread sits in sendmsg() when the server goes. */
static void test_destroy_wakes_a_thread_that_sends(void **state)
{
	struct vfu_region_access a = { .count = 1u << 20 };

	hello(sock);
	for (uint16_t i = 0; i < 8; i++)
		send_command(sock, i, VFU_REGION_READ, &a, sizeof(a));
	poll(NULL, 0, 50);
}

int main(void)
{
	static int two;
	const struct CMUnitTest tests[] = {
#define TEST(name) { #name, name, setup, teardown, &two }
		TEST(test_version),
		TEST(test_version_without_text_is_modest),
		TEST(test_versions_that_are_refused),
		TEST(test_nothing_comes_before_version),
		TEST(test_a_driver_may_refuse_and_be_asked_again),
		TEST(test_a_twin_socket),
		TEST(test_a_batch_in_order),
		TEST(test_accesses_that_are_refused),
		TEST(test_megabytes),
		TEST(test_a_message_over_the_limit),
		TEST(test_an_unreadable_header_ends_the_connection),
		TEST(test_write_multi),
		TEST(test_write_multi_must_be_agreed_on),
		TEST(test_device_and_irq_info),
		TEST(test_region_info),
		TEST(test_fds_in_the_midst_of_a_batch),
		TEST(test_a_client_that_takes_no_fds),
		TEST(test_io_fds),
		TEST(test_set_irqs),
		TEST(test_reset),
		TEST(test_what_nobody_wanted_is_closed),
		TEST(test_the_next_client_finds_the_device_as_it_was),
		{ "test_a_device_with_one_place", test_a_device_with_one_place, setup_one_session, teardown, NULL },
		TEST(test_one_client_after_the_other),
		TEST(test_two_clients_at_once),
		TEST(test_max_clients),
		TEST(test_the_rest_of_a_message_has_its_time),
		TEST(test_listening),
		TEST(test_limits_that_are_refused),
		TEST(test_destroy_wakes_a_thread_that_sends),
	};

	return unit_run(tests);
}
