/* SPDX-License-Identifier: MIT */
/*
 * A thread for what would stall the loop: giving back big memory (0.2 s a GiB) and removing folders.  Jobs run one
 * after the other; when one is done the loop hears of it.  The thread exists only while there are jobs.
 */
#ifndef PARENTS_COMPUTE_WORKER_H
#define PARENTS_COMPUTE_WORKER_H

#include <systemd/sd-event.h>

#include "base/list.h"

struct compute_job {
	struct base_list node; /* the worker's */
	void (*run)(struct compute_job *job);  /* in the thread */
	void (*done)(struct compute_job *job); /* in the loop; owns the job again */
};

struct compute_worker;

/* Return: 0 or -errno. Opposite: destroy. */
int compute_worker_create(sd_event *event, struct compute_worker **ret);

/* Waits for the jobs and calls their done; NULL is accepted. Return: NULL. */
struct compute_worker *compute_worker_destroy(struct compute_worker *w);

/* Without a thread (no memory left) the job is run at once; done is called from the loop all the same. */
void compute_worker_add(struct compute_worker *w, struct compute_job *job);

#endif
