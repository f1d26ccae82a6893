/* SPDX-License-Identifier: MIT */
/*
 * A server of the vfio-user protocol: gives devices to virtual machines over Unix sockets.
 *
 * It knows devices by struct trn_use alone (tranche/device.h), so it serves whatever a driver offers with a
 * device_api of "vfio-pci".  Each connection is served by a thread of its own: no connection waits for another, and a
 * driver's calls come from these threads.  Link with tranche-server.
 */
#ifndef TRANCHE_SERVER_H
#define TRANCHE_SERVER_H

#include <stdint.h>
#include <sys/types.h>

#include "tranche/error.h"

#ifdef __cplusplus
extern "C" {
#endif

struct trn_device;
struct trn_server;

/**
 * struct trn_server_params - what to serve, and the limits that clients are told; zeroed limits: the defaults
 * @dev:                the device; the server takes a reference
 * @max_clients:        connections at the same time (default 256, of which the device may let in fewer)
 * @max_msg_fds:        descriptors that one message may bring (default 16)
 * @max_data_xfer_size: bytes of data that one message may move (default 1 MiB, at most 16 MiB)
 * @max_dma_maps:       DMA maps that a client may have (default 65535)
 * @wait_ms:            how long a client may take for the rest of a message that it has begun (default: for ever)
 * @checks_owner:       not 0: of those who come by trn_server_listen() only root, the user of this process and @owner are
 *                      let in, whoever can open the socket; the others are disconnected at once
 * @owner:              user id, for @checks_owner
 */
struct trn_server_params {
	struct trn_device *dev;
	uint32_t max_clients;
	uint32_t max_msg_fds;
	uint32_t max_data_xfer_size;
	uint32_t max_dma_maps;
	int wait_ms;
	int checks_owner;
	uid_t owner;
};

/**
 * trn_server_create - make a server, which serves nobody yet
 * @params: see above
 * @ret:    out; untouched on failure
 * @err:    optional
 *
 * Return: 0, -EINVAL (a limit), -ENOMEM. Opposite: trn_server_destroy().
 */
int trn_server_create(const struct trn_server_params *params, struct trn_server **ret, struct trn_error *err);

/**
 * trn_server_listen - serve those who connect to a socket
 * @server: the server
 * @fd:     a listening Unix stream socket; the server's from now on, also on failure
 * @err:    optional
 *
 * Starts a thread that accepts; once a server.
 * Return: 0, -EBUSY (it listens already), or the error of thread or descriptor.
 */
int trn_server_listen(struct trn_server *server, int fd, struct trn_error *err);

/**
 * trn_server_connect - serve one client that is connected already
 * @server: the server
 * @fd:     a connected Unix stream socket; the server's from now on, also on failure
 * @err:    optional
 *
 * Return: 0, -EUSERS (max_clients), or the error of the thread.
 */
int trn_server_connect(struct trn_server *server, int fd, struct trn_error *err);

/**
 * trn_server_nr_clients - how many connections are served
 * @server: the server
 *
 * Return: a snapshot; those count that have said VERSION and have the device open.
 */
unsigned int trn_server_nr_clients(struct trn_server *server);

/**
 * struct trn_server_stats - what a server has done so far
 * @clients:  connections that had the device open, those that have it now included
 * @accesses: messages that read or wrote regions; what a client does in memory that it has mapped is nowhere counted
 */
struct trn_server_stats {
	uint64_t clients;
	uint64_t accesses;
};

/**
 * trn_server_get_stats - what a server has done so far
 * @server: the server
 * @ret:    out; a snapshot
 */
void trn_server_get_stats(struct trn_server *server, struct trn_server_stats *ret);

/**
 * trn_server_end_clients - disconnect all who are connected now
 * @server: the server; it goes on, and lets in who comes next
 *
 * Waits for nobody: a connection has let go of the device when its thread has noticed.
 */
void trn_server_end_clients(struct trn_server *server);

/**
 * trn_server_destroy - end all connections
 * @server: NULL is accepted
 *
 * Waits for the connections' threads; what a driver's call does at that moment is done to its end.  Not from such
 * a call.
 */
void trn_server_destroy(struct trn_server *server);

#ifdef __cplusplus
}
#endif
#endif
