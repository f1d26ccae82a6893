/* SPDX-License-Identifier: MIT */
/*
 * Events: what has a slot that the program reads, and what held commands wait for.  All under the context's lock
 * except where it says otherwise.
 */
#ifndef EXECUTOR_EVENTS_H
#define EXECUTOR_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "executor/context.h"

struct exec_command;
struct exec_queue;

/* Four times of CLOCK_MONOTONIC_RAW. */
struct exec_times {
	uint64_t queued, submit, start, end;
};

struct exec_event {
	uint64_t handle; /* 0: our own, for a barrier that has none */
	struct trnc_event_slot *slot; /* NULL without handle */
	uint32_t refs;	 /* the table's, the command's, those of waits */
	int32_t status;	 /* 3 queued, 2 submitted, 1 running, 0 complete, < 0 failed */
	bool is_user;	 /* a user event that the program has not set yet */
	cl_event host;	 /* while its command runs on the host: what host commands wait for; its command owns it */
	const struct exec_queue *queue; /* of its command, for comparing; only valid while host is set */
	struct exec_command *client;	/* CLIENT command that waits to be ended by the program */
	struct base_list waiters;     /* of exec_wait: until it is on the host or at an end */
	struct base_list end_waiters; /* of exec_wait: until it is at an end */
};

/* One dependency of a held command. */
struct exec_wait {
	struct base_list link; /* in one of the event's lists, or alone */
	struct exec_command *command;
	struct exec_event *event; /* one reference */
};

static inline bool exec_event_is_over(const struct exec_event *e)
{
	return e->status <= CL_COMPLETE;
}

/* Makes an event with a slot and status, and publishes that. Return: NULL and *ret_err (cl) when refused. */
struct exec_event *exec_event_new_locked(struct exec_context *c, uint64_t handle, int32_t status, int32_t *ret_err);
/* One without slot or handle; one reference. NULL: no memory. */
struct exec_event *exec_event_new_internal(void);

struct exec_event *exec_event_get_locked(struct exec_context *c, uint64_t handle);
struct exec_event *exec_event_ref(struct exec_event *e);
/* Accepts NULL; returns NULL. */
struct exec_event *exec_event_unref(struct exec_event *e);

/* Takes the handle away from the program. */
void exec_event_release_locked(struct exec_context *c, uint64_t handle);

/* Publishes a status above 0. */
void exec_event_progress_locked(struct exec_event *e, int32_t status);
/* Publishes the end; times may be NULL. Who waits becomes ready or failed. */
void exec_event_end_locked(struct exec_context *c, struct exec_event *e, int32_t status, const struct exec_times *times);
/* The command is on the host: e->host tells others what to wait for. */
void exec_event_submitted_locked(struct exec_context *c, struct exec_event *e);

#endif
