/* SPDX-License-Identifier: MIT */
/* Descriptors of all kinds that a client can send, and which ones this process has. */
#ifndef FUZZ_DESCRIPTORS_H
#define FUZZ_DESCRIPTORS_H

#include "input.h"

enum fd_kind {
	FD_SEALED, /* memory of 64 KiB, which stays that long */
	FD_SHRINKING, /* memory of 64 KiB, until the client truncates it */
	FD_SMALL, /* memory of 100 bytes */
	FD_READ_ONLY, /* FD_SEALED, opened for reading */
	FD_LARGE, /* 1 TiB, of nothing */
	FD_EVENT,
	FD_EVENT_2,
	FD_EVENT_FULL, /* to write to it would wait */
	FD_PIPE_READ,
	FD_PIPE_WRITE,
	FD_SOCKET,
	FD_NULL,
	FD_ZERO,
	FD_PATH, /* of a folder, O_PATH */
	FD_TIMER,
	FD_EPOLL,
	NR_FD_KINDS
};

#define DESCRIPTOR_SIZE 0x10000u

struct descriptors {
	int fds[NR_FD_KINDS];
};

void descriptors_make(struct descriptors *d);
void descriptors_restore(struct descriptors *d); /* as they were made */
void descriptors_shrink(struct descriptors *d);
void descriptors_signal(struct descriptors *d); /* the eventfds */

#define MAX_OPEN_FDS 160u

struct open_fds {
	uint8_t are_open[MAX_OPEN_FDS];
};

void open_fds_note(struct open_fds *o);
void open_fds_check(const struct open_fds *o); /* the same ones as when they were noted */

#endif
