/* SPDX-License-Identifier: MIT */
/*
 * Messages with file descriptors over Unix SOCK_SEQPACKET sockets: one message a packet, at most
 * BASE_MAX_FDS descriptors with it.  Stream sockets are only made here.  All sockets and received descriptors are CLOEXEC.
 */
#ifndef BASE_SOCKET_H
#define BASE_SOCKET_H

#include <stddef.h>
#include <sys/types.h>

#include "tranche/error.h"

#define BASE_MAX_FDS 4

/* Listens at path (must fit in sun_path; an existing file is an error). The file has mode 0600 from its first
 * moment. Return: fd or -errno. */
int base_socket_listen(const char *path, struct trn_error *err);

/* Connects to path. Return: fd or -errno. */
int base_socket_connect(const char *path, struct trn_error *err);
/* The same, but waits up to 0.1 s for one that has made the file and is about to listen; not for event loops. */
int base_socket_connect_patiently(const char *path, struct trn_error *err);

/*
 * The same for SOCK_STREAM, except that a socket at path at which nobody listens any more is replaced; one that somebody
 * listens at, and a file that is no socket, are errors.
 */
int base_socket_listen_stream(const char *path, struct trn_error *err);
/* Likewise for packets. */
int base_socket_listen_anew(const char *path, struct trn_error *err);
/* Would that be let through, as things are now?  0, or as above. */
int base_socket_check_free(const char *path, struct trn_error *err);
/* As base_socket_connect_patiently(). */
int base_socket_connect_stream(const char *path, struct trn_error *err);

/* Two connected ends. Return: 0 or -errno. */
int base_socket_pair(int ret_fds[2]);

/* Sends one whole packet (len > 0); fds stay the caller's; SIGPIPE never; EINTR retried.
 * Return: 0 or -errno (-EAGAIN when the socket is non-blocking and full, -EPIPE when the peer is gone). */
int base_send(int sock, const void *data, size_t len, const int *fds, size_t nr_fds);

/*
 * Receives one packet into buf. On success *nr_fds (in: capacity, 0..BASE_MAX_FDS) tells how many of fds were filled;
 * the caller owns them.  Surplus descriptors are closed.
 * Return: length; 0 when the peer closed; -EMSGSIZE when the packet was longer than cap (it is consumed, its
 * descriptors are closed); other -errno (-EAGAIN on a non-blocking socket).
 */
ssize_t base_recv(int sock, void *buf, size_t cap, int *fds, size_t *nr_fds);

#endif
