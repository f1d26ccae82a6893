/* SPDX-License-Identifier: MIT */
/*
 * What is at the other end of a port: nothing but a plug that loops back, a pseudo-terminal, or a Unix socket that
 * listens.  Bytes, and whether a peer is there; never blocks.
 *
 * The loop's thread opens, closes, looks and watches.  Reading and writing may be done by any thread that holds
 * the lock which also protects the struct.
 */
#ifndef PARENTS_MTTY_LINE_H
#define PARENTS_MTTY_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "parents/mtty/mtty.h"

struct mtty_line {
	enum mtty_line_kind kind;
	sd_event *event;
	void (*stirred)(void *data);
	void *data;
	int fd;			  /* PTY: the master; SOCKET: the peer, -1: none */
	int listen_fd;		  /* SOCKET */
	sd_event_source *io;	  /* of fd; off while no peer is there */
	sd_event_source *arrival; /* of listen_fd, or of others opening the terminal */
	char *name;		  /* for people */
	char *link;		  /* PTY: the symbolic link to be removed */
	bool has_peer;
	bool is_readable; /* there may be bytes: of a peer that is there, or that has left them behind */
};

/* stirred is called by the loop, without locks, whenever mtty_line_look() is due. Return: 0 or -errno; then nothing is left. */
int mtty_line_open(struct mtty_line *line, const struct mtty_line_config *config, sd_event *event,
		   void (*stirred)(void *data), void *data, struct trn_error *err);
/* Also of a struct of zeroes that was never opened. */
void mtty_line_close(struct mtty_line *line);

/* Finds out who has come or left; takes in a peer that waits. */
void mtty_line_look(struct mtty_line *line);
/* What the loop is to wait for; that the peer leaves is always heard. */
void mtty_line_watch(struct mtty_line *line, bool read, bool write);

/* Return: how many bytes there were, 0: none now. */
size_t mtty_line_read(struct mtty_line *line, void *buf, size_t len);
/* Return: how many bytes are done with, 0: none now. Without a peer they are gone. */
size_t mtty_line_write(struct mtty_line *line, const void *buf, size_t len);

/* The two kinds that have a descriptor. */
int mtty_pty_open(struct mtty_line *line, const char *link, struct trn_error *err);
void mtty_pty_look(struct mtty_line *line);
int mtty_socket_open(struct mtty_line *line, const char *path, struct trn_error *err);
void mtty_socket_look(struct mtty_line *line);

/* For these: the loop waits for fd, but for nothing yet. Return: 0 or -errno. */
int mtty_line_add_io(struct mtty_line *line);
/* For these: what poll() says of fd without waiting. */
bool mtty_line_is_hung_up(const struct mtty_line *line);

#endif
