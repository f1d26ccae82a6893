/* SPDX-License-Identifier: MIT */
/* VERSION, which opens the device and comes before all else: what is offered, agreed on and refused. */
#include <errno.h>
#include <string.h>

#include "vfio_user_peer.h"

static void test_version(void **state)
{
	struct peer_reply r;

	assert_int_equal(trn_server_nr_clients(peer.server), 0);
	peer_send_version(peer.sock, 9, 0, 7, PEER_CAPS, sizeof(PEER_CAPS));
	peer_expect_reply(peer.sock, 9, VFU_VERSION, &r);
	assert_memory_equal(r.payload, ((const struct vfu_version[]){ { 0, 1 } }), 4);
	assert_int_equal(r.payload[r.len - 1], 0);
	assert_non_null(strstr((char *)r.payload + 4, "\"max_msg_fds\":16"));
	assert_non_null(strstr((char *)r.payload + 4, "\"max_data_xfer_size\":1048576"));
	assert_non_null(strstr((char *)r.payload + 4, "\"max_dma_maps\":65535"));
	assert_non_null(strstr((char *)r.payload + 4, "\"write_multiple\":true"));
	assert_null(strstr((char *)r.payload + 4, "twin"));
	assert_null(strstr((char *)r.payload + 4, "migration"));
	assert_int_equal(trn_server_nr_clients(peer.server), 1);
	assert_int_equal(peer.device.nr_opens, 1);
	peer_send_version(peer.sock, 10, 0, 1, PEER_CAPS, sizeof(PEER_CAPS)); /* once only */
	peer_expect_error(peer.sock, 10, EINVAL);
}

static void test_version_without_text_is_modest(void **state)
{
	struct peer_reply r;

	peer_send_version(peer.sock, 1, 0, 0, "", 0);
	peer_expect_reply(peer.sock, 1, VFU_VERSION, &r);
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
		peer_send_version(peer.sock, i, 0, 1, wrong[i], strlen(wrong[i]) + 1);
		peer_expect_error(peer.sock, i, EINVAL);
	}
	memset(deep + 5, '[', 20);
	memset(deep + 25, ']', 20);
	deep[45] = '}';
	peer_send_version(peer.sock, 50, 0, 1, deep, strlen(deep) + 1);
	peer_expect_error(peer.sock, 50, EINVAL);
	peer_send_version(peer.sock, 51, 0, 1, PEER_CAPS, sizeof(PEER_CAPS) - 1); /* no NUL */
	peer_expect_error(peer.sock, 51, EINVAL);
	peer_send_version(peer.sock, 52, 0, 1, PEER_CAPS "\0 and more", sizeof(PEER_CAPS) + 10);
	peer_expect_error(peer.sock, 52, EINVAL);
	peer_send_version(peer.sock, 53, 1, 0, PEER_CAPS, sizeof(PEER_CAPS));
	peer_expect_error(peer.sock, 53, EPROTONOSUPPORT);
	peer_send_command(peer.sock, 54, VFU_VERSION, "", 2 - 1);
	peer_expect_error(peer.sock, 54, EINVAL);
	assert_int_equal(peer.device.nr_opens, 0);
	peer_hello(peer.sock);
}

static void test_nothing_comes_before_version(void **state)
{
	uint8_t buf[64];

	peer_send_with_fds(peer.sock, buf, peer_put_read(buf, 3, 0, 4), NULL, 0);
	peer_expect_error(peer.sock, 3, EINVAL);
	peer_send_command(peer.sock, 4, VFU_DEVICE_RESET, NULL, 0);
	peer_expect_error(peer.sock, 4, EINVAL);
	peer_hello(peer.sock);
}

static void test_a_driver_may_refuse_and_be_asked_again(void **state)
{
	peer.device.open_result = -ENOSPC;
	peer_send_version(peer.sock, 1, 0, 1, PEER_CAPS, sizeof(PEER_CAPS));
	peer_expect_error(peer.sock, 1, ENOSPC);
	peer.device.open_result = 0;
	peer_hello(peer.sock);
}

static void test_a_twin_socket(void **state)
{
	static const char caps[] = "{\"capabilities\":{\"twin_socket\":{\"supported\":true}}}";
	struct peer_reply r;

	peer_send_version(peer.sock, 1, 0, 1, caps, sizeof(caps));
	peer_expect_reply(peer.sock, 1, VFU_VERSION, &r);
	assert_non_null(strstr((char *)r.payload + 4, "\"twin_socket\":{\"supported\":true,\"fd_index\":0}"));
	assert_int_equal(r.nr_fds, 1);
	peer_close_fds(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PEER_TEST(test_version),
		PEER_TEST(test_version_without_text_is_modest),
		PEER_TEST(test_versions_that_are_refused),
		PEER_TEST(test_nothing_comes_before_version),
		PEER_TEST(test_a_driver_may_refuse_and_be_asked_again),
		PEER_TEST(test_a_twin_socket),
	};

	return unit_run(tests);
}
