/* SPDX-License-Identifier: MIT */
/*
 * The device process's side of tranche-parent (include/tranche/wire/parent.h), which forks executors.  It is started
 * with the device and loads the host's OpenCL while nobody waits for it.  One that cannot be asked is no error: the
 * executor is started without it, and another tranche-parent for the next one.
 */
#ifndef PARENTS_COMPUTE_FORKER_H
#define PARENTS_COMPUTE_FORKER_H

#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

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

/* Ends it without waiting: what it was asked for and has not told of is started without it, if it is wanted still. */
void compute_forker_stop(struct compute_forker *f);

/* Ends it.  One that is well is not waited for: it has things of its own to finish. */
void compute_forker_finish(struct compute_forker *f);

#endif
