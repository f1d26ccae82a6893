/* SPDX-License-Identifier: MIT */
/*
 * The device process's side of tranche-parent (include/tranche/wire/parent.h), which forks executors.  It is started
 * with the device and loads the host's OpenCL while nobody waits for it.  One that cannot be asked is no error: the
 * executor is started without it, and another tranche-parent for the next one.
 *
 * Or there is one that listens, for all devices of a host device (member.c): the device joins it before it is ready, and
 * again when it was gone.  Executors are its children then: it tells when they have ended, and they end with it.
 */
#ifndef PARENTS_COMPUTE_FORKER_H
#define PARENTS_COMPUTE_FORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "tranche/error.h"
#include "tranche/wire/parent.h"

struct compute_device;
struct compute_executor;

struct compute_forker {
	struct compute_device *device;
	int sock;  /* -1: there is none to be asked */
	pid_t pid; /* 0: none, or reaped */
	int pidfd;
	sd_event_source *io;
	sd_event_source *exit;
	sd_event_source *limit; /* runs out when it does not answer */
	unsigned int nr_asked;	/* executors that it was asked for and has not told of: they may be our children already */
	unsigned int nr_deaths; /* since it last started an executor */
	uint64_t last_id;
	struct trnc_parent_counts counts; /* as it told them last */

	/* Of one that is shared. */
	bool is_joined;
	bool has_told_probe; /* or has got it from there */
	uint64_t join_id, update_id; /* asked and not answered; 0: not */
	unsigned int backoff_ms;
	sd_event_source *again;	  /* time to connect again */
	sd_event_source *patience; /* runs out for executors that wait for that */
};

void compute_forker_init(struct compute_forker *f, struct compute_device *d);

/* Starts tranche-parent, unless there is one, or the device has none. */
void compute_forker_start(struct compute_forker *f);

/*
 * Asks for ex, whose end of the socket is sock and whose folder folder; all stays the caller's.  Later, from the loop,
 * compute_executor_forked() or compute_executor_not_forked() tells of it; ex lives until then.
 * Return: 0, or -errno when it cannot be asked.
 */
int compute_forker_ask(struct compute_forker *f, struct compute_executor *ex, char *const env[], int sock, int folder);

/* Can it be asked now? */
bool compute_forker_is_there(const struct compute_forker *f);

/* Ends it without waiting: what it was asked for and has not told of is started without it, if it is wanted still. */
void compute_forker_stop(struct compute_forker *f);

/* Ends it.  One that is well is not waited for: it has things of its own to finish. */
void compute_forker_finish(struct compute_forker *f);

/* --- member.c: one that is shared --- */

/* Before the device is ready; waits, for some seconds at most. Return: 0, or its refusal. */
int compute_forker_join(struct compute_forker *f, struct trn_error *err);
/* Other amounts: compute_change_answered() tells what it says. Return: 0, or -EAGAIN and that is not called. */
int compute_forker_update(struct compute_forker *f, uint64_t memory, uint32_t time, struct trn_error *err);
/* Hands up the host device's record, if there is one and it has none. */
void compute_forker_offer_probe(struct compute_forker *f);

/* For forker.c: a message that is no answer to START; the connection was lost; the device goes. */
int compute_member_take(struct compute_forker *f, const struct trnc_msg *m, const void *body, size_t len, int *fd);
void compute_member_lost(struct compute_forker *f);
void compute_member_finish(struct compute_forker *f);
/* It is away for a moment: ex is asked for when it is back, or told that there is none. Return: 0 or -errno. */
int compute_member_wait(struct compute_forker *f, struct compute_executor *ex);

/* Of forker.c, for member.c. */
int compute_forker_watch_socket(struct compute_forker *f);
/* What it is asked is to be answered in its time, or the connection is lost. Return: 0 or -errno. */
int compute_forker_limit(struct compute_forker *f);
void compute_forker_lose(struct compute_forker *f);
void compute_forker_set_told(struct compute_forker *f, struct compute_executor *ex);

#endif
