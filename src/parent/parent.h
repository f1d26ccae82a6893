/* SPDX-License-Identifier: MIT */
/* tranche-parent: the process, how it starts executors, and its two servers: for one device process, and for those of a parent. */
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
	pid_t reaper;	  /* whose children executors are: the device process, or this one if it listens */
	char *title;	  /* the bytes of our command line, for a copy of us that goes by another name */
	size_t title_len;
	int mould;	  /* socket to the process that executors are copies of */
	pid_t mould_pid;
	sd_event *event;
	struct parent_broker *broker;
	struct parent_hub *hub; /* of one that listens, else NULL */
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
	bool is_guest; /* the executor is to serve a guest (TRNC_EXEC_GUEST) */
};

/* @packet: must stay while ret is used, and be 8-byte aligned. Return: 0 or -errno with a sentence. */
int parent_start_parse(struct parent_start *ret, char *packet, size_t len, size_t nr_fds, struct trn_error *err);
void parent_start_finish(struct parent_start *s);

/* --- fork.c --- */

/*
 * Makes an executor that is a child of p->reaper, in a process group of its own. @sock: its TRNC_EXEC_FD,
 * @broker: its TRNC_EXEC_BROKER_FD, on which it says its number and waits to be let go; @gate: its TRNC_EXEC_GATE_FD, or -1.
 * Return: 0 or -errno.
 */
int parent_fork_twice(const struct parent_process *p, const struct parent_start *s, int sock, int broker, int gate);

/* --- mould.c --- */

/*
 * Makes the process that forks: a copy of this one as it is now, with the host's OpenCL loaded and nothing else in its
 * memory.  What this one comes to know later, such as the sources of programs, is nothing for an executor.
 * Return: 0 or -errno.
 */
int parent_mould_start(struct parent_process *p);
/*
 * In place of one that has died: our program anew, which loads the host's OpenCL itself, since our own memory has
 * programs in it by now. Return: 0 or -errno.
 */
int parent_mould_replace(struct parent_process *p);
/* What that program does: the mould at descriptor TRNC_PARENT_FD. */
void parent_mould_run(const struct parent_process *p) __attribute__((noreturn));

/* What was started, and is not let go yet: it waits for a byte on the broker's socket, and ends when that closes. */
struct parent_child {
	pid_t pid;
	int pidfd;
	int broker; /* our end of its stream socket */
};

/* Has an executor made. @sock: its TRNC_EXEC_FD; @gate: see above. Return: 0 or -errno; -EPIPE: the mould is gone. */
int parent_mould_ask(const struct parent_process *p, const struct parent_start *s, int sock, int gate, struct parent_child *ret);
/* Lets it go. Return: 0 or -errno. */
int parent_child_go(const struct parent_child *c);

/* --- reply.c: what is said to a device process or a manager. All return 0 or -errno. --- */

int parent_reply(int sock, uint32_t type, uint64_t id, const void *body, size_t len, int fd);
int parent_refuse(int sock, uint32_t type, uint64_t id, const struct trn_error *err);
int parent_reply_started(int sock, uint64_t id, const struct parent_child *c);

/* --- listen.c --- */

struct parent_listen_options {
	const char *listen, *name, *lock;
	uint64_t memory; /* bytes; 0: nothing is counted */
	uint32_t host_device;
	uint32_t linger_s; /* without a connection it ends after that; 0: never */
};

/* Takes the lock, and makes the socket. First thing. Return: 0 or -errno with a sentence. */
int parent_hub_open(struct parent_process *p, const struct parent_listen_options *o, struct parent_hub **ret, struct trn_error *err);
/* Serves all devices of a parent until it is told to end. Return: 0 or -errno. */
int parent_hub_run(struct parent_hub *h);
void parent_hub_close(struct parent_hub *h);

/* An executor's GATE; @tag: what parent_broker_open() was given. */
void parent_hub_gate(struct parent_hub *h, uint64_t tag);
/* A program of an executor's was compiled, or was there. */
void parent_hub_count(struct parent_hub *h, uint64_t tag, bool is_stored);
void parent_hub_count_time(struct parent_hub *h, uint64_t tag, uint64_t cpu_ns);

/* --- server.c --- */

/* Serves the device process at TRNC_PARENT_FD until that closes it. Return: 0 or -errno. */
int parent_serve(struct parent_process *p);

#endif
