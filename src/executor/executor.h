/* SPDX-License-Identifier: MIT */
/* The process as a whole: its socket, window, host, output and contexts. */
#ifndef EXECUTOR_EXECUTOR_H
#define EXECUTOR_EXECUTOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/gate.h"
#include "executor/host.h"
#include "executor/output.h"
#include "executor/wake.h"
#include "executor/window.h"
#include "tranche/wire/executor.h"

struct exec_broker;
struct exec_context;

struct executor {
	int sock;
	int kick_fd; /* eventfd, see struct exec_window */
	bool coherent;
	uint32_t host_device; /* index, as SETUP gave it */
	struct exec_gate gate;
	struct exec_host host;
	struct exec_window window;
	struct exec_output output;
	struct exec_waker waker; /* of a guest */
	struct exec_broker *broker; /* or NULL */
	struct exec_context *contexts[TRNC_MAX_CONTEXTS + 1]; /* by number, from 1; control thread */
	_Atomic bool ending[TRNC_MAX_CONTEXTS + 1];	      /* the number is still in use */
};

/* Receives SETUP, and PREPARE if that comes before, and makes everything ready; the refusal has been sent when it fails.
 * Return: 0 or -errno. */
int exec_setup(struct executor *ex);

/* Serves the socket until the device process closes it. Never returns. */
void exec_control_run(struct executor *ex) __attribute__((noreturn));

/* Answers a message. Any thread: packets of a SOCK_SEQPACKET socket do not mix. */
void exec_reply(struct executor *ex, uint32_t type, uint64_t id, const void *body, size_t len);
void exec_reply_fd(struct executor *ex, uint32_t type, uint64_t id, const void *body, size_t len, int fd);
void exec_reply_error(struct executor *ex, uint32_t type, uint64_t id, const struct trn_error *err);

#endif
