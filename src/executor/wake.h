/* SPDX-License-Identifier: MIT */
/*
 * Waking a guest's kernel (docs/wire.md; compute.h, struct trnc_kernel_page).  Programs in a guest sleep in their kernel,
 * which says for each context how many completions it waits for, and counts news: all else that may end a wait.
 *
 * Who publishes does so first, counts it in the host page, and then looks whether the kernel sleeps; the kernel says that it
 * sleeps, and then looks at the counts again.  So one of the two sees the other, if all four are seq_cst.
 */
#ifndef EXECUTOR_WAKE_H
#define EXECUTOR_WAKE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "tranche/wire/compute.h"

/* Of a session; unused in process mode. */
struct exec_waker {
	int fd; /* eventfd to the device process; owned */
	pthread_mutex_t lock; /* protects the list */
	struct base_list sleepers;
};

/* Of a context: where its program's threads sleep. */
struct exec_sleeper {
	struct base_list node;
	struct exec_waker *waker;
	struct trnc_host_page *page;
	struct trnc_kernel_page *kernel;
};

/* Takes the descriptor. */
void exec_waker_init(struct exec_waker *w, int fd);

/* From here to remove() the session's news are this one's, too.  remove() accepts one that was only initialised to zeros. */
void exec_waker_add(struct exec_waker *w, struct exec_sleeper *s, struct trnc_host_page *page,
		    struct trnc_kernel_page *kernel);
void exec_waker_remove(struct exec_sleeper *s);

/* After host.commands has moved (seq_cst). Any thread. */
void exec_sleeper_completed(struct exec_sleeper *s);
/* After something else was published: counts it, and wakes. Any thread. */
void exec_sleeper_news(struct exec_sleeper *s);
/* The same, for all of the session. Any thread that does not hold the waker's lock. */
void exec_waker_news(struct exec_waker *w);

#endif
