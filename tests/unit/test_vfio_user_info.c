/* SPDX-License-Identifier: MIT */
/* What a client asks about a device, and the descriptors that go with it in either direction. */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vfio_user_peer.h"

static void test_device_and_irq_info(void **state)
{
	struct vfu_device_info info = { .argsz = sizeof(info) };
	struct vfu_irq_info irq = { .argsz = sizeof(irq), .index = 1 };
	struct peer_reply r;

	peer_hello(peer.sock);
	peer_send_command(peer.sock, 1, VFU_DEVICE_GET_INFO, &info, sizeof(info));
	peer_expect_reply(peer.sock, 1, VFU_DEVICE_GET_INFO, &r);
	info = (struct vfu_device_info){ 16, VFU_DEVICE_FLAG_RESET | VFU_DEVICE_FLAG_PCI, 4, 2 };
	assert_int_equal(r.len, sizeof(info));
	assert_memory_equal(r.payload, &info, sizeof(info));
	info.argsz = 15;
	peer_send_command(peer.sock, 2, VFU_DEVICE_GET_INFO, &info, sizeof(info));
	peer_expect_error(peer.sock, 2, EINVAL);
	peer_send_command(peer.sock, 3, VFU_DEVICE_GET_INFO, &info, 15);
	peer_expect_error(peer.sock, 3, EINVAL);

	peer_send_command(peer.sock, 4, VFU_DEVICE_GET_IRQ_INFO, &irq, sizeof(irq));
	peer_expect_reply(peer.sock, 4, VFU_DEVICE_GET_IRQ_INFO, &r);
	assert_memory_equal(r.payload, ((const struct vfu_irq_info[]){ { 16, 3, 1, 4 } }), 16);
	irq.index = 0; /* there are none of that kind */
	peer_send_command(peer.sock, 5, VFU_DEVICE_GET_IRQ_INFO, &irq, sizeof(irq));
	peer_expect_reply(peer.sock, 5, VFU_DEVICE_GET_IRQ_INFO, &r);
	irq.index = 2;
	peer_send_command(peer.sock, 6, VFU_DEVICE_GET_IRQ_INFO, &irq, sizeof(irq));
	peer_expect_error(peer.sock, 6, EINVAL);
}

static void ask_region(uint32_t index, uint32_t argsz, struct vfu_region_info *ret, struct peer_reply *r)
{
	struct vfu_region_info info = { .argsz = argsz, .index = index };

	peer_send_command(peer.sock, 3, VFU_DEVICE_GET_REGION_INFO, &info, sizeof(info));
	peer_expect_reply(peer.sock, 3, VFU_DEVICE_GET_REGION_INFO, r);
	memcpy(ret, r->payload, sizeof(*ret));
}

static void test_region_info(void **state)
{
	struct vfu_region_info info;
	struct vfu_cap_header cap;
	struct vfu_sparse sparse;
	struct vfu_sparse_area area;
	struct peer_reply r;

	peer_hello(peer.sock);
	ask_region(0, 32, &info, &r);
	assert_int_equal(r.len, 32);
	assert_int_equal(info.argsz, 32);
	assert_int_equal(info.size, PEER_RAM_SIZE);
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
	peer_close_fds(&r);
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
	assert_int_equal(area.size, PEER_MAPPED_SIZE - 8192);
	assert_int_equal(r.nr_fds, 1);
	peer_close_fds(&r);

	ask_region(3, 4096, &info, &r); /* all of it: no list, but a type */
	memcpy(&cap, r.payload + 32, sizeof(cap));
	assert_int_equal(cap.id, VFU_REGION_CAP_TYPE);
	assert_int_equal(info.argsz, 32 + 16);
	assert_int_equal(info.offset, 4096);
	assert_int_equal(r.nr_fds, 1);
	peer_close_fds(&r);
}

/* A reply with descriptors among others: they lie on its first byte. */
static void test_fds_in_the_midst_of_a_batch(void **state)
{
	struct vfu_region_info info = { .argsz = 4096, .index = 2 };
	uint8_t buf[1024];
	struct peer_reply r;
	size_t len = 0;

	peer_hello(peer.sock);
	for (uint16_t i = 0; i < 6; i++)
		if (i % 3 == 1)
			len += peer_put(buf + len, i, VFU_DEVICE_GET_REGION_INFO, 0, &info, sizeof(info));
		else
			len += peer_put_read(buf + len, i, 0, 4);
	peer_send_with_fds(peer.sock, buf, len, NULL, 0);
	for (uint16_t i = 0; i < 6; i++) {
		peer_expect_reply(peer.sock, i, i % 3 == 1 ? VFU_DEVICE_GET_REGION_INFO : VFU_REGION_READ, &r);
		assert_int_equal(r.nr_fds, i % 3 == 1);
		peer_close_fds(&r);
	}
}

static void test_a_client_that_takes_no_fds(void **state)
{
	static const char caps[] = "{\"capabilities\":{\"max_msg_fds\":0,\"twin_socket\":{\"supported\":true}}}";
	struct vfu_region_info info;
	struct peer_reply r;

	peer_send_version(peer.sock, 1, 0, 1, caps, sizeof(caps));
	peer_expect_reply(peer.sock, 1, VFU_VERSION, &r);
	assert_int_equal(r.nr_fds, 0);
	ask_region(2, 4096, &info, &r);
	assert_int_equal(info.flags, VFU_REGION_FLAG_READ);
	assert_int_equal(r.nr_fds, 0);
}

static void test_io_fds(void **state)
{
	struct vfu_region_io_fds io = { .argsz = 16 }, out;
	struct vfu_ioeventfd e[2];
	struct peer_reply r;

	peer_hello(peer.sock);
	peer_send_command(peer.sock, 1, VFU_DEVICE_GET_REGION_IO_FDS, &io, sizeof(io));
	peer_expect_reply(peer.sock, 1, VFU_DEVICE_GET_REGION_IO_FDS, &r);
	memcpy(&out, r.payload, sizeof(out));
	assert_int_equal(r.len, 16);
	assert_int_equal(out.argsz, 16 + 2 * 48);
	assert_int_equal(out.count, 2);
	assert_int_equal(r.nr_fds, 0);
	io.argsz = out.argsz;
	peer_send_command(peer.sock, 2, VFU_DEVICE_GET_REGION_IO_FDS, &io, sizeof(io));
	peer_expect_reply(peer.sock, 2, VFU_DEVICE_GET_REGION_IO_FDS, &r);
	assert_int_equal(r.len, 16 + 2 * 48);
	memcpy(e, r.payload + 16, sizeof(e));
	assert_int_equal(r.nr_fds, 3);
	assert_int_equal(e[0].type, VFU_IO_FD_IOEVENTFD);
	assert_int_equal(e[1].type, VFU_IO_FD_IOEVENTFD_SHADOW);
	assert_int_equal(e[0].fd_index + 10 * e[1].fd_index + 100 * e[1].shadow_mem_fd_index, 210);
	assert_int_equal(e[1].flags, VFU_IOEVENTFD_DATAMATCH);
	assert_int_equal(e[1].datamatch, 7);
	assert_int_equal(e[1].shadow_offset, 512);
	peer_close_fds(&r);
	for (uint32_t i = 1; i < 3; i++) { /* absent, without any */
		io.index = i;
		peer_send_command(peer.sock, 3, VFU_DEVICE_GET_REGION_IO_FDS, &io, sizeof(io));
		peer_expect_reply(peer.sock, 3, VFU_DEVICE_GET_REGION_IO_FDS, &r);
		assert_int_equal(r.len, 16);
	}
	for (int i = 0; i < 4; i++) {
		io = (struct vfu_region_io_fds){
			.argsz = i == 0 ? 15 : 16, .flags = i == 1, .count = i == 2, .index = i == 3 ? 4 : 0
		};
		peer_send_command(peer.sock, 4, VFU_DEVICE_GET_REGION_IO_FDS, &io, sizeof(io));
		peer_expect_error(peer.sock, 4, EINVAL);
	}
}

static void set_irqs(uint16_t id, uint32_t flags, uint32_t start, uint32_t count, size_t nr_bytes, const int *fds, size_t nr_fds)
{
	struct {
		struct vfu_irq_set set;
		uint8_t bytes[16];
	} m = { { 20, flags, 1, start, count }, { 1, 0, 1 } };

	peer_send_fds(peer.sock, id, VFU_DEVICE_SET_IRQS, 0, &m, sizeof(m.set) + nr_bytes, fds, nr_fds);
}

static void test_set_irqs(void **state)
{
	const uint32_t eventfds = VFU_IRQ_SET_DATA_EVENTFD | VFU_IRQ_SET_ACTION_TRIGGER;
	int fds[5], i;
	struct peer_reply r;

	peer_hello(peer.sock);
	for (i = 0; i < 5; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC);
	set_irqs(1, eventfds, 1, 3, 0, fds, 3);
	peer_expect_reply(peer.sock, 1, VFU_DEVICE_SET_IRQS, &r);
	assert_int_equal(r.len, 0);
	assert_int_equal(peer.device.last_set.start + 10 * peer.device.last_set.count, 31);
	assert_true(peer.device.wired >= 0);
	set_irqs(2, eventfds, 1, 2, 0, NULL, 0);
	peer_expect_reply(peer.sock, 2, VFU_DEVICE_SET_IRQS, &r);
	assert_true(peer.device.wired < 0);
	set_irqs(3, VFU_IRQ_SET_DATA_BOOL | VFU_IRQ_SET_ACTION_MASK, 0, 3, 3, NULL, 0);
	peer_expect_reply(peer.sock, 3, VFU_DEVICE_SET_IRQS, &r);
	assert_int_equal(peer.device.last_set.action, TRN_IRQ_MASK);
	set_irqs(4, VFU_IRQ_SET_DATA_NONE | VFU_IRQ_SET_ACTION_TRIGGER, 0, 0, 0, NULL, 0);
	peer_expect_reply(peer.sock, 4, VFU_DEVICE_SET_IRQS, &r);

	set_irqs(10, eventfds, 0, 2, 0, fds, 3);
	peer_expect_error(peer.sock, 10, EINVAL);
	set_irqs(11, eventfds, 0, 5, 0, fds, 5);
	peer_expect_error(peer.sock, 11, EINVAL);
	set_irqs(12, eventfds, 0xffffffff, 2, 0, NULL, 0);
	peer_expect_error(peer.sock, 12, EINVAL);
	set_irqs(13, eventfds, 0, 0x40000000, 0, NULL, 0);
	peer_expect_error(peer.sock, 13, EINVAL);
	set_irqs(14, VFU_IRQ_SET_DATA_BOOL | VFU_IRQ_SET_ACTION_MASK, 0, 4, 3, NULL, 0);
	peer_expect_error(peer.sock, 14, EINVAL);
	set_irqs(15, VFU_IRQ_SET_DATA_NONE, 0, 1, 0, NULL, 0);
	peer_expect_error(peer.sock, 15, EINVAL);
	set_irqs(16, VFU_IRQ_SET_ACTION_TRIGGER, 0, 1, 0, NULL, 0);
	peer_expect_error(peer.sock, 16, EINVAL);
	set_irqs(17, eventfds | VFU_IRQ_SET_ACTION_MASK, 0, 1, 0, NULL, 0);
	peer_expect_error(peer.sock, 17, EINVAL);
	set_irqs(18, eventfds | 1u << 6, 0, 1, 0, NULL, 0);
	peer_expect_error(peer.sock, 18, EINVAL);
	i = fds[0];
	fds[0] = peer.sock; /* what a device could wait for */
	set_irqs(19, eventfds, 0, 1, 0, fds, 1);
	peer_expect_error(peer.sock, 19, EINVAL);
	fds[0] = i;
	for (i = 0; i < 5; i++)
		close(fds[i]);
}

static void test_what_nobody_wanted_is_closed(void **state)
{
	int before = unit_count_fds(), fds[16], fd = eventfd(0, EFD_CLOEXEC);
	uint8_t buf[64];
	struct peer_reply r;

	for (size_t i = 0; i < 16; i++)
		fds[i] = fd;
	peer_hello(peer.sock);
	peer_send_with_fds(peer.sock, buf, peer_put_read(buf, 1, 0, 4), fds, 16);
	peer_expect_reply(peer.sock, 1, VFU_REGION_READ, &r);
	close(fd);
	/* Its next answer comes when the descriptors are closed. */
	peer_send_with_fds(peer.sock, buf, peer_put_read(buf, 2, 0, 4), NULL, 0);
	peer_expect_reply(peer.sock, 2, VFU_REGION_READ, &r);
	assert_int_equal(unit_count_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PEER_TEST(test_device_and_irq_info),
		PEER_TEST(test_region_info),
		PEER_TEST(test_fds_in_the_midst_of_a_batch),
		PEER_TEST(test_a_client_that_takes_no_fds),
		PEER_TEST(test_io_fds),
		PEER_TEST(test_set_irqs),
		PEER_TEST(test_what_nobody_wanted_is_closed),
	};

	return unit_run(tests);
}
