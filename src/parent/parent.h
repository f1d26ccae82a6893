/* SPDX-License-Identifier: MIT */
/* tranche-parent: the process, its server for the device process, and how it starts executors. */
#ifndef PARENT_PARENT_H
#define PARENT_PARENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "tranche/error.h"
#include "tranche/wire/parent.h"

struct parent_broker;

struct parent_process {
	const char *executor_path; /* of tranche-executor */
	bool forks;	  /* executors are copies of this process; else the program at executor_path */
	pid_t device;	  /* the device process */
	char *title;	  /* the bytes of our command line, for a copy of us that goes by another name */
	size_t title_len;
	int mould;	  /* socket to the process that executors are copies of */
	sd_event *event;
	struct parent_broker *broker;
};

/* --- start.c: the message, checked --- */

/* Of a message: an environment is as long as the socket lets it be. */
#define PARENT_MAX_PACKET (1u << 20)

/* A START as it came; env points into the packet. */
struct parent_start {
	const char *packet;
	size_t len;
	uint64_t id;
	char **env; /* owned; ends with NULL */
};

/* @packet: must stay while ret is used, and be 8-byte aligned. Return: 0 or -errno with a sentence. */
int parent_start_parse(struct parent_start *ret, char *packet, size_t len, size_t nr_fds, struct trn_error *err);
void parent_start_finish(struct parent_start *s);

/* --- fork.c --- */

/*
 * Makes an executor that is a child of the device process, in a process group of its own. @sock: its TRNC_EXEC_FD,
 * @broker: its TRNC_EXEC_BROKER_FD, on which it says its number and waits to be let go. Return: 0 or -errno.
 */
int parent_fork_twice(const struct parent_process *p, const struct parent_start *s, int sock, int broker);

/* --- mould.c --- */

/*
 * Makes the process that forks: a copy of this one as it is now, with the host's OpenCL loaded and nothing else in its
 * memory.  What this one comes to know later, such as the sources of programs, is nothing for an executor.
 * Return: 0 or -errno.
 */
int parent_mould_start(struct parent_process *p);

/* What was started, and is not let go yet: it waits for a byte on the broker's socket, and ends when that closes. */
struct parent_child {
	pid_t pid;
	int pidfd;
	int broker; /* our end of its stream socket */
};

/* Has an executor made. @sock: its TRNC_EXEC_FD. Return: 0 or -errno; -EPIPE: the mould is gone. */
int parent_mould_ask(const struct parent_process *p, const struct parent_start *s, int sock, struct parent_child *ret);
/* Lets it go. Return: 0 or -errno. */
int parent_child_go(const struct parent_child *c);

/* --- server.c --- */

/* Serves the device process at TRNC_PARENT_FD until that closes it. Return: 0 or -errno. */
int parent_serve(struct parent_process *p);

#endif
