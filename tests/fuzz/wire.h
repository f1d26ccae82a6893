/* SPDX-License-Identifier: MIT */
/*
 * The wire between the fuzzer and a server that runs on the same thread: what the server receives is made when it asks
 * for it, and what it sends is checked at once.
 */
#ifndef FUZZ_WIRE_H
#define FUZZ_WIRE_H

#include "input.h"
#include "tranche/wire/vfio_user.h"

struct descriptors;

/* A new connection: the server's descriptor of it. Both arguments are used until wire_close(). */
int wire_open(struct descriptors *descriptors, struct input *in);
/* A message before those of the input; fd: -1 none, else it is duplicated. */
void wire_say(enum vfu_command command, const void *payload, size_t len, int fd);
/* The server has ended the connection: was everything answered? */
void wire_close(void);

#endif
