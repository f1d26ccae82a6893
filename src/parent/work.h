/* SPDX-License-Identifier: MIT */
/*
 * A build, in two processes of its own: a worker, which is trusted, waits for the helper, which is not (it runs the
 * compiler on whatever somebody sent), kills what is left of it, takes what it made, hands that to the broker and puts it
 * into the store.  So the broker waits for no disk and no compiler, and a compiler that goes wrong takes nobody along.
 */
#ifndef PARENT_WORK_H
#define PARENT_WORK_H

#include <sys/types.h>

#include "parent/built.h"
#include "parent/key.h"
#include "parent/parent.h"
#include "parent/store.h"

struct parent_work {
	const struct parent_process *process;
	struct parent_store *store; /* NULL: nothing is kept */
	struct parent_store *scratch; /* in whose tmp helpers work: store, or one of which nothing else is used; NULL: neither */
	struct parent_key key;
	struct parent_fate fate;
	/* The body of a TRNC_BROKER_COMPILE: head, variants, request. */
	const void *order;
	size_t order_len;
	bool is_guest; /* the helper may read no more of the host's files than the compiler needs */
	/*
	 * Makes work-group functions for a program that is in the store: nobody waits for it, and what it makes goes to the
	 * entry of both keys.
	 */
	bool is_background;
	struct parent_key quick; /* is_background: the key of the same for TRNC_BROKER_QUICK; key is that for MAIN */
};

/* Starts one. *ret_sock: from which parent_work_receive() takes what came of it. The caller reaps the process. Its group is
 * its own. Return: 0 or -errno. */
int parent_work_start(const struct parent_work *w, pid_t *ret_pid, int *ret_sock);

/* Reads on, without waiting. Return: 1: all is there; 0: not yet; -errno: the worker failed, or says so. */
int parent_work_receive(int sock, struct parent_built *b, uint32_t *expected);

/* After that: takes what else there is to nowhere, without waiting. Has the worker ended? */
bool parent_work_has_ended(int sock);

#endif
