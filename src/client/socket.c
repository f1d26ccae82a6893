/* SPDX-License-Identifier: MIT */
#include "client/rpc.h"
#include "client/socket.h"

const struct client_transport client_socket = {
	.connect = client_socket_connect,
	.hello = client_socket_hello,
	.create = client_socket_create,
	.finish = NULL,
	.end_calls_locked = client_socket_end_calls_locked,
	.drain = client_rpc_drain,
	.memory = client_socket_memory,
	.segment_create = client_socket_segment_create,
	.segment_destroy = client_socket_segment_destroy,
	.segment_show = client_socket_segment_show,
	.segment_export = NULL,
	.segment_import = NULL,
	.context_create = client_socket_context_create,
	.context_end = client_socket_context_end,
	.context_free = client_socket_context_free,
	.block_add = client_socket_block_add,
	.output_set = client_socket_output_set,
	.output_sleep = client_socket_output_sleep,
	.output_wake = client_socket_output_wake,
	.build = client_socket_build,
	.query = client_socket_query,
	.sleep = client_socket_sleep,
	.wake = client_socket_wake,
	.wake_lost = client_socket_wake_lost,
	.ring = client_socket_ring,
	.is_same_machine = true,
};
