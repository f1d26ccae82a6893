/* SPDX-License-Identifier: MIT */
/*
 * One client: its socket, what it said in VERSION, the messages that are being worked on.
 *
 * A thread a connection.  It reads as many messages as one recvmsg brings, calls the handler of each, collects the
 * replies in the output buffer and sends them with one sendmsg (one more where descriptors must lie on a message's first
 * byte).  Nothing is allocated for a message.  Other threads touch a connection in two ways only: through dma.c
 * (trn_use_dma() from a driver's thread), and by shutdown(2) of its socket.
 */
#ifndef VFIO_USER_CONNECTION_H
#define VFIO_USER_CONNECTION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "tranche/device.h"
#include "tranche/wire/vfio_user.h"

struct trn_server;
struct vfu_dma; /* dma.h */

#define VFU_MAX_FDS 64u /* that a message may bring at most, whatever is configured */

/* What a side of the connection states in VERSION. */
struct vfu_limits {
	uint32_t max_msg_fds;
	uint32_t max_data_xfer_size;
	uint32_t max_dma_maps;
	uint64_t pgsizes; /* mask */
	bool write_multiple;
	bool twin_socket;
};

/* A message of the client while its handler runs; all of it is the connection's own copy. */
struct vfu_request {
	struct vfu_header header;
	const uint8_t *payload; /* header.size - 16 bytes, 8-byte aligned or not */
	size_t len;
	int *fds; /* those that came with it; a handler that keeps one puts -1 in its place, the rest is closed */
	size_t nr_fds;
};

struct vfu_conn {
	struct trn_server *server;
	struct base_list node; /* in server */
	pthread_t thread;
	int fd;
	int twin_fd; /* our end of the twin socket; -1: there is none */
	bool has_version; /* VERSION was said; before it nothing else is accepted */
	_Atomic uint64_t nr_accesses; /* to regions; written by the thread alone */
	struct vfu_limits ours; /* [const] */
	struct vfu_limits theirs; /* [const] from VERSION on */
	struct trn_use *use; /* NULL before VERSION */
	struct vfu_dma *dma; /* NULL before VERSION */
	struct vfu_input *input; /* input.c */
	struct vfu_output *output; /* output.c; its lock orders what several threads send */
};

/* connection.c: a connection takes fd over, also on failure. NULL: no memory. */
struct vfu_conn *vfu_conn_new(struct trn_server *server, int fd);
/* From the first message to the last, by the calling thread; then the device is closed. Once. */
void vfu_conn_serve(struct vfu_conn *c);
/* Its thread; when that ends it calls vfu_server_conn_ended(). 0 or -errno. */
int vfu_conn_start(struct vfu_conn *c);
void vfu_conn_shutdown(struct vfu_conn *c); /* its thread will end soon; any thread, under the server's lock */
void vfu_conn_close(struct vfu_conn *c); /* its sockets and buffers, which nobody uses any more */
void vfu_conn_free(struct vfu_conn *c); /* when its thread is joined, or was never started */

/*
 * Handles one command. Return: 0 with the reply begun by vfu_reply(), or a negative errno, which becomes an error reply
 * (a reply that was begun is dropped). A handler writes its reason at debug level: the rule, and the value that broke it.
 */
typedef int (*vfu_handler)(struct vfu_conn *c, struct vfu_request *req);

/*
 * Begins the reply to req: room for len bytes of payload in the output buffer, zeroed, valid until the handler returns.
 * NULL: too long for the peer or for memory, then return -E2BIG. May be called again to begin anew.
 * When the request wants no reply the room is there all the same, and is thrown away.
 */
void *vfu_reply(struct vfu_conn *c, const struct vfu_request *req, size_t len);
/* Cuts the payload of the reply that was begun to len bytes, which stay as they are: for data of a length known late. */
void vfu_reply_trim(struct vfu_conn *c, size_t len);
/* Adds a descriptor to the reply that was begun; it is closed after sending, and on failure. -E2BIG: more than the
 * peer takes. */
int vfu_reply_fd(struct vfu_conn *c, int fd);

/*
 * Sends a command of our own (DMA_READ, DMA_WRITE) on the main socket: header and two pieces of payload. Any thread. None is
 * begun while the connection's thread works on a batch: it waits in the caller's hands, see dma.h. 0 or -errno (the
 * connection is gone).
 */
int vfu_send_command(struct vfu_conn *c, const struct vfu_header *header, const void *fixed, size_t fixed_len,
		     const void *data, size_t data_len);

/* The handlers, by file. version.c */
int vfu_handle_version(struct vfu_conn *c, struct vfu_request *req);
/* info.c */
int vfu_handle_device_info(struct vfu_conn *c, struct vfu_request *req);
int vfu_handle_region_info(struct vfu_conn *c, struct vfu_request *req);
int vfu_handle_irq_info(struct vfu_conn *c, struct vfu_request *req);
/* io_fds.c */
int vfu_handle_io_fds(struct vfu_conn *c, struct vfu_request *req);
/* irqs.c */
int vfu_handle_set_irqs(struct vfu_conn *c, struct vfu_request *req);
/* region.c */
int vfu_handle_region_read(struct vfu_conn *c, struct vfu_request *req);
int vfu_handle_region_write(struct vfu_conn *c, struct vfu_request *req);
int vfu_handle_write_multi(struct vfu_conn *c, struct vfu_request *req);
int vfu_handle_reset(struct vfu_conn *c, struct vfu_request *req);
/* dma_map.c */
int vfu_handle_dma_map(struct vfu_conn *c, struct vfu_request *req);
int vfu_handle_dma_unmap(struct vfu_conn *c, struct vfu_request *req);
/* feature.c */
int vfu_handle_feature(struct vfu_conn *c, struct vfu_request *req);
/* migration.c */
int vfu_handle_mig_data_read(struct vfu_conn *c, struct vfu_request *req);
int vfu_handle_mig_data_write(struct vfu_conn *c, struct vfu_request *req);

#endif
