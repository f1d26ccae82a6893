/* SPDX-License-Identifier: MIT */
/* Who is at the other end of a Unix socket, as it was when the connection was made. */
#ifndef BASE_PEER_H
#define BASE_PEER_H

#include <stddef.h>
#include <sys/types.h>

#include "tranche/error.h"

/* Root, the user of this process and the owner may come in. Return: 0, -EACCES, or the error of getsockopt(2). */
int base_peer_check(int sock, uid_t owner, struct trn_error *err);

#define BASE_PEER_TEXT 48
/* "process 4711 (hashcat)", for people: the name is what the process calls itself. Writes into and returns buf. */
const char *base_peer_describe(int sock, char buf[BASE_PEER_TEXT]);

#endif
