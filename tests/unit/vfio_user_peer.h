/* SPDX-License-Identifier: MIT */
/* A whole server with a driver of a few lines, and a client of it, message by message. */
#ifndef VFIO_USER_PEER_H
#define VFIO_USER_PEER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "tranche/mdev.h"
#include "tranche/server.h"
#include "tranche/wire/vfio_user.h"
#include "unit.h"

#define PEER_RAM_SIZE (4u << 20)
#define PEER_MAPPED_SIZE (8u << 12)

/* What the tests of a program share: one driver with one device, its server, and the first client's end. */
extern struct peer {
	/* Region 0: RAM; 1: absent; 2: may be mapped, but for its second page; 3: all of it may be mapped, and has an own type. */
	struct {
		uint8_t ram[PEER_RAM_SIZE];
		int memfd;
		int doorbell;
		_Atomic int wired; /* duplicate of the last eventfd; -1 */
		struct trn_irq_set last_set;
		_Atomic unsigned int nr_opens, nr_closes, nr_resets;
		_Atomic int open_result;
		_Atomic int close_ms; /* how long a close takes */
		_Atomic int busy_ms; /* > 0: one use at a time, and how long a refusal takes */
	} device;

	struct trn_core *core;
	struct trn_parent *parent;
	struct trn_device *dev;
	struct trn_server *server;
	int sock; /* of the client */
} peer;

/* Device, server and a client that has said nothing yet. */
int peer_setup(void **state);
/* The same with a device that has room for one client. */
int peer_setup_one_session(void **state);
int peer_teardown(void **state);

#define PEER_TEST(name) cmocka_unit_test_setup_teardown(name, peer_setup, peer_teardown)

/* A server of the device with those limits, as peer.server. */
void peer_make_server(struct trn_server_params params);
/* One more client.  Return: its socket, whose calls end after 10 s. */
int peer_connect_client(void);

/* A message in buf; returns its length. */
size_t peer_put(uint8_t *buf, uint16_t id, uint16_t command, uint32_t flags, const void *payload, size_t len);
size_t peer_put_read(uint8_t *buf, uint16_t id, uint64_t offset, uint32_t count);
size_t peer_put_write(uint8_t *buf, uint16_t id, uint32_t flags, uint64_t offset, const void *data, uint32_t count);

/* Sends these bytes, whatever they are, at once. */
void peer_send_with_fds(int to, const void *data, size_t len, const int *fds, size_t nr_fds);
/* Sends one message. */
void peer_send_fds(int to, uint16_t id, uint16_t command, uint32_t flags, const void *payload, size_t len, const int *fds,
		   size_t nr_fds);
void peer_send_command(int to, uint16_t id, uint16_t command, const void *payload, size_t len);
void peer_send_version(int to, uint16_t id, uint16_t major, uint16_t minor, const char *text, size_t len);

#define PEER_CAPS \
	"{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,\"pgsizes\":4096,\"write_multiple\":true}}"

/* VERSION with PEER_CAPS, which the server takes. */
void peer_hello(int to);

struct peer_reply {
	struct vfu_header header;
	uint8_t payload[1 << 16];
	size_t len;
	int fds[16]; /* the caller's; see peer_close_fds() */
	size_t nr_fds;
};

/* The next message is the reply to that command, without an error. */
void peer_expect_reply(int from, uint16_t id, uint16_t command, struct peer_reply *ret);
/* The next message is that error and nothing else. */
void peer_expect_error(int from, uint16_t id, int error);
void peer_close_fds(struct peer_reply *r);
/* The server has closed the connection; waits for it. */
bool peer_is_gone(int from);

#endif
