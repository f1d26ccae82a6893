/* SPDX-License-Identifier: MIT */
/* What a server must reply to what it was sent, and whether it does. */
#ifndef FUZZ_REPLIES_H
#define FUZZ_REPLIES_H

#include <sys/uio.h>

#include "input.h"
#include "tranche/wire/vfio_user.h"

#define REPLIES_MAX 1024u
#define REPLIES_MAX_COMMANDS 64u
#define REPLIES_HEAD 32u

struct asked {
	struct vfu_header header;
	uint8_t head[REPLIES_HEAD]; /* of the payload */
};

struct replies {
	/* The stream to the server: what of the present message has come. */
	struct asked now;
	size_t have;
	bool is_over; /* by a header that cannot be read */

	struct asked asked[REPLIES_MAX]; /* a ring; without a reply: [first, end) */
	size_t first, end;

	/* The server's own commands that were not answered yet, likewise. */
	struct vfu_header commands[REPLIES_MAX_COMMANDS];
	struct vfu_dma_access accesses[REPLIES_MAX_COMMANDS];
	size_t first_command, end_command;
};

void replies_begin(struct replies *r);
void replies_end(const struct replies *r); /* has everything been answered? */
/* These bytes go to the server. */
void replies_expect(struct replies *r, const uint8_t *bytes, size_t len);
/* Whole messages of the server. Return: their length. */
size_t replies_take(struct replies *r, const struct iovec *iov, size_t nr, unsigned int nr_fds);
bool replies_next_is_version(const struct replies *r);
/* The oldest command of the server: fills the header of a reply. Without one both stay. */
void replies_take_command(struct replies *r, struct vfu_header *header, struct vfu_dma_access *access);

#endif
