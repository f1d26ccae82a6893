/* SPDX-License-Identifier: MIT */
/* Threads of a library in somebody else's process. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/* Starts a thread with a small stack (256 KiB) and all signals blocked: those are the program's business. 0 or -errno. */
int base_thread_start(pthread_t *ret, void *(*run)(void *arg), void *arg);

#endif
