/* SPDX-License-Identifier: MIT */
/*
 * Text that kernels and the host's OpenCL write to standard output.  Descriptor 1 is a pipe; its text is moved to the
 * session's output ring by a thread, and by whoever is about to publish the completion of a kernel that may print, so
 * that a program sees the text before it sees the completion.
 */
#ifndef EXECUTOR_OUTPUT_H
#define EXECUTOR_OUTPUT_H

#include <pthread.h>
#include <stdint.h>

#include "executor/wake.h"
#include "executor/window.h"
#include "tranche/error.h"

struct exec_output {
	int pipe; /* reading end, non-blocking */
	int kick_fd; /* eventfd: a ring has come */
	pthread_mutex_t lock;
	struct exec_waker *waker;     /* of a guest, else NULL; constant once there is a ring */
	struct exec_segment *segment; /* one use; NULL: no ring yet */
	struct trnc_output *ring;
	uint8_t *data;
	uint32_t data_len;
	uint64_t producer; /* ours; the shared one is only written */
	uint8_t *early;	   /* text from before the ring, up to a limit */
	size_t early_len;
};

/* Makes descriptor 1 a pipe. Return: 0 or -errno. */
int exec_output_init(struct exec_output *o);

/* Starts the thread that moves text as it comes. Return: 0 or -errno. */
int exec_output_start(struct exec_output *o);

/* Takes the session's ring. Control thread. */
int exec_output_set(struct exec_output *o, struct exec_window *w, const struct trnc_output_set *s,
		    struct trn_error *err);

/* Moves what the pipe holds now. May wait for the program to read. Any thread, no lock held. */
void exec_output_drain(struct exec_output *o);

#endif
