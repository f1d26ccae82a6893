/* SPDX-License-Identifier: MIT */
/* The server's own view of itself: the device, the connections, the thread that accepts. */
#ifndef VFIO_USER_SERVER_H
#define VFIO_USER_SERVER_H

#include <pthread.h>
#include <stdbool.h>

#include "base/list.h"
#include "tranche/server.h"

struct vfu_conn;

struct trn_server {
	struct trn_server_params params; /* [const] dev: a reference; no limit is 0, but wait_ms may be */

	pthread_mutex_t lock;
	pthread_cond_t left; /* a connection has ended */
	struct base_list conns; /* [lock] served */
	struct base_list ended; /* [lock] their threads are still to be joined */
	unsigned int nr_conns; /* [lock] served */
	unsigned int nr_left; /* [lock] ended since the beginning */
	_Atomic unsigned int nr_open; /* those that have the device open */
	_Atomic uint64_t nr_clients; /* those that had it, too */
	uint64_t nr_accesses; /* [lock] of connections that have ended */
	bool is_leaving; /* [lock] it is being destroyed */

	int listen_fd; /* -1: does not listen */
	pthread_t listener; /* while it listens */
};

/* A connection's thread has dropped the device and is about to end: it only waits to be joined. */
void vfu_server_conn_ended(struct trn_server *server, struct vfu_conn *c);

/* How many connections have ended: before something is tried that may fail because one has not yet. */
unsigned int vfu_server_nr_left(struct trn_server *server);
/* When the client of another connection than c (which may be NULL) is gone, but its connection not yet: waits for that,
 * some seconds at most. Return: has a connection ended since vfu_server_nr_left() said nr_left? */
bool vfu_server_wait_for_leaver(struct trn_server *server, const struct vfu_conn *c, unsigned int nr_left);

#endif
