/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memfd.h"
#include "vfio_user_peer.h"

struct peer peer;

/* --- the driver --- */

static int op_init(struct trn_device *dev, struct trn_error *err)
{
	peer.device.memfd = base_memfd_create("test", PEER_MAPPED_SIZE);
	peer.device.doorbell = eventfd(0, EFD_CLOEXEC);
	peer.device.wired = -1;
	return 0;
}

static void op_release(struct trn_device *dev)
{
	close(peer.device.memfd);
	close(peer.device.doorbell);
}

static int op_open(struct trn_use *use, struct trn_error *err)
{
	if (peer.device.open_result < 0)
		return peer.device.open_result;
	if (peer.device.busy_ms && peer.device.nr_opens != peer.device.nr_closes) {
		poll(NULL, 0, peer.device.busy_ms);
		return -EBUSY;
	}
	peer.device.nr_opens++;
	return 0;
}

static void wire(int fd)
{
	int before = atomic_exchange(&peer.device.wired, fd);

	if (before >= 0)
		close(before);
}

static void op_close(struct trn_use *use)
{
	poll(NULL, 0, peer.device.close_ms);
	wire(-1);
	peer.device.nr_closes++;
}

static int op_reset(struct trn_use *use)
{
	peer.device.nr_resets++;
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
		*ret = (struct trn_region_info){ .size = PEER_RAM_SIZE, .flags = TRN_REGION_READ | TRN_REGION_WRITE };
	if (index == 2)
		*ret = (struct trn_region_info){ .size = PEER_MAPPED_SIZE, .flags = TRN_REGION_READ | TRN_REGION_MMAP };
	if (index == 3)
		*ret = (struct trn_region_info){ .size = 4096, .flags = TRN_REGION_READ | TRN_REGION_MMAP };
	return 0;
}

static int op_region_rw(struct trn_use *use, uint32_t index, uint64_t offset, void *buf, size_t len, int is_write)
{
	if (index != 0)
		return -EIO;
	if (is_write)
		memcpy(peer.device.ram + offset, buf, len);
	else
		memcpy(buf, peer.device.ram + offset, len);
	return 0;
}

static int op_region_fd(struct trn_use *use, uint32_t index, uint64_t *ret_offset)
{
	*ret_offset = index == 3 ? 4096 : 0;
	return fcntl(peer.device.memfd, F_DUPFD_CLOEXEC, 0);
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
		ret[1] = (struct trn_span){ .start = 8192, .len = PEER_MAPPED_SIZE - 8192 };
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
			.fd = fcntl(peer.device.doorbell, F_DUPFD_CLOEXEC, 0),
			.shadow_fd = i ? fcntl(peer.device.memfd, F_DUPFD_CLOEXEC, 0) : -1,
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
	peer.device.last_set = *set;
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

/* --- device, server and client --- */

void peer_make_server(struct trn_server_params params)
{
	struct trn_error err = { 0 };

	params.dev = peer.dev;
	if (trn_server_create(&params, &peer.server, &err) < 0)
		fail_msg("%s", err.text);
}

int peer_connect_client(void)
{
	const struct timeval limit = { .tv_sec = 10 };
	struct trn_error err = { 0 };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (trn_server_connect(peer.server, fds[1], &err) < 0)
		fail_msg("%s", err.text);
	return fds[0];
}

int peer_setup(void **state)
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

	peer.device.nr_opens = peer.device.nr_closes = peer.device.nr_resets = 0;
	peer.device.open_result = peer.device.close_ms = peer.device.busy_ms = 0;
	memset(peer.device.ram, 0, 4096);
	peer.core = trn_core_create();
	assert_int_equal(trn_parent_register(peer.core, &desc, &peer.parent, NULL), 0);
	assert_int_equal(trn_device_create(trn_type_find(peer.parent, state ? "served-two" : "served-one"), &params,
					   &peer.dev, NULL), 0);
	peer.sock = -1;
	peer_make_server((struct trn_server_params){ 0 });
	peer.sock = peer_connect_client();
	return 0;
}

int peer_setup_one_session(void **state)
{
	return peer_setup(NULL);
}

int peer_teardown(void **state)
{
	trn_server_destroy(peer.server);
	if (peer.sock >= 0)
		close(peer.sock);
	assert_int_equal(peer.device.nr_opens, peer.device.nr_closes);
	trn_device_unref(peer.dev);
	assert_int_equal(trn_parent_unregister(peer.parent, NULL, NULL), 0);
	trn_parent_unref(peer.parent);
	trn_core_destroy(peer.core);
	return 0;
}

/* --- messages --- */

void peer_send_with_fds(int to, const void *data, size_t len, const int *fds, size_t nr_fds)
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

size_t peer_put(uint8_t *buf, uint16_t id, uint16_t command, uint32_t flags, const void *payload, size_t len)
{
	struct vfu_header h = { .id = id, .command = command, .size = (uint32_t)(sizeof(h) + len), .flags = flags };

	memcpy(buf, &h, sizeof(h));
	if (len)
		memcpy(buf + sizeof(h), payload, len);
	return h.size;
}

void peer_send_fds(int to, uint16_t id, uint16_t command, uint32_t flags, const void *payload, size_t len, const int *fds,
		   size_t nr_fds)
{
	uint8_t buf[4096];

	peer_send_with_fds(to, buf, peer_put(buf, id, command, flags, payload, len), fds, nr_fds);
}

void peer_send_command(int to, uint16_t id, uint16_t command, const void *payload, size_t len)
{
	peer_send_fds(to, id, command, 0, payload, len, NULL, 0);
}

static void receive(int from, struct peer_reply *ret)
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

void peer_expect_reply(int from, uint16_t id, uint16_t command, struct peer_reply *ret)
{
	receive(from, ret);
	assert_int_equal(ret->header.id, id);
	assert_int_equal(ret->header.command, command);
	assert_int_equal(ret->header.error, 0);
	assert_int_equal(ret->header.flags, VFU_FLAG_REPLY);
}

void peer_expect_error(int from, uint16_t id, int error)
{
	struct peer_reply r;

	receive(from, &r);
	assert_int_equal(r.header.id, id);
	assert_int_equal(r.header.flags, VFU_FLAG_REPLY | VFU_FLAG_ERROR);
	assert_int_equal(r.header.error, error);
	assert_int_equal(r.header.size, sizeof(r.header));
	assert_int_equal(r.nr_fds, 0);
}

void peer_send_version(int to, uint16_t id, uint16_t major, uint16_t minor, const char *text, size_t len)
{
	uint8_t buf[4096];
	struct vfu_version v = { .major = major, .minor = minor };

	memcpy(buf, &v, sizeof(v));
	memcpy(buf + sizeof(v), text, len);
	peer_send_command(to, id, VFU_VERSION, buf, sizeof(v) + len);
}

void peer_hello(int to)
{
	struct peer_reply r;

	peer_send_version(to, 1, 0, 1, PEER_CAPS, sizeof(PEER_CAPS));
	peer_expect_reply(to, 1, VFU_VERSION, &r);
}

void peer_close_fds(struct peer_reply *r)
{
	while (r->nr_fds)
		close(r->fds[--r->nr_fds]);
}

size_t peer_put_read(uint8_t *buf, uint16_t id, uint64_t offset, uint32_t count)
{
	struct vfu_region_access a = { .offset = offset, .count = count };

	return peer_put(buf, id, VFU_REGION_READ, 0, &a, sizeof(a));
}

size_t peer_put_write(uint8_t *buf, uint16_t id, uint32_t flags, uint64_t offset, const void *data, uint32_t count)
{
	uint8_t payload[1024];
	struct vfu_region_access a = { .offset = offset, .count = count };

	memcpy(payload, &a, sizeof(a));
	memcpy(payload + sizeof(a), data, count);
	return peer_put(buf, id, VFU_REGION_WRITE, flags, payload, sizeof(a) + count);
}

bool peer_is_gone(int from)
{
	char byte;

	return recv(from, &byte, 1, 0) == 0;
}
