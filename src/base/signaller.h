/* SPDX-License-Identifier: MIT */
/*
 * Signals eventfds of other processes and never waits for them.
 *
 * A write waits when the counter is full and the other side has set the descriptor to block; asking first leaves it a moment to
 * do so.  The kernel's own way to signal does not wait: an asynchronous read that ends at once tells an eventfd.  Where a
 * machine has no such reads, asking first must do.
 */
#ifndef BASE_SIGNALLER_H
#define BASE_SIGNALLER_H

#include <linux/aio_abi.h>

struct base_signaller {
	aio_context_t context; /* 0: there is none */
	int null_fd;
};

/* Never fails; zeroed memory is no signaller. */
void base_signaller_init(struct base_signaller *s);
void base_signaller_finish(struct base_signaller *s);
/* Adds 1 to an eventfd. One thread at a time a signaller. */
void base_signaller_signal(struct base_signaller *s, int fd);

#endif
