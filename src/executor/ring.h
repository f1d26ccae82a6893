/* SPDX-License-Identifier: MIT */
/* The reader of a context's ring. */
#ifndef EXECUTOR_RING_H
#define EXECUTOR_RING_H

/* The thread; arg is the struct exec_context. Ends when the context is stopping, or lost. */
void *exec_ring_thread(void *arg);

#endif
