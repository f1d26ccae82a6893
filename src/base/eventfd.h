/* SPDX-License-Identifier: MIT */
/*
 * Eventfds that another process has too: it may set them to block, fill them and empty them at any time, so a plain read or
 * write may wait for as long as it likes.
 */
#ifndef BASE_EVENTFD_H
#define BASE_EVENTFD_H

#include <stdbool.h>
#include <stdint.h>

/* Adds 1 without waiting: a counter that is full says all that there is to say. */
void base_eventfd_signal(int fd);
/* Takes the count off without waiting; *ret (may be NULL) is untouched when there is none. Return: was there one? */
bool base_eventfd_take(int fd, uint64_t *ret);

#endif
