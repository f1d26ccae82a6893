/* SPDX-License-Identifier: MIT */
/* The compile broker: answers TRNC_BROKER_COMPILE of executors (include/tranche/wire/parent.h). */
#ifndef PARENT_BROKER_H
#define PARENT_BROKER_H

#include "parent/parent.h"

struct parent_broker;

/* On the thread of p->event, which is the process's only one.  SIGCHLD is blocked. Return: 0 or -errno. */
int parent_broker_create(const struct parent_process *p, struct parent_broker **ret);
/* NULL is accepted. */
void parent_broker_destroy(struct parent_broker *b);

/* After each turn of the loop: is there something to do that shall outlive the device process? */
void parent_broker_settle(struct parent_broker *b);

/* The device process is gone: all of its programs are forgotten, and what is left to do for the store is done, but not for long. */
void parent_broker_linger(struct parent_broker *b);

/*
 * An executor was started.  Takes over both: its stream socket, blocking until now, from which anything may come; and
 * the folder of its session (O_PATH), in which it may do anything. @tag: by which the hub knows it; 0 where there is none.
 * @is_guest: what it asks for is compiled where no file of the host's can be named.
 */
void parent_broker_open(struct parent_broker *b, int sock, int folder, uint64_t tag, bool is_guest);

/* Is that a process that works for the broker? */
bool parent_broker_owns(const struct parent_broker *b, pid_t pid);

#endif
