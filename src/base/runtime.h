/* SPDX-License-Identifier: MIT */
/* Where the sockets of devices are that somebody starts by hand. */
#ifndef BASE_RUNTIME_H
#define BASE_RUNTIME_H

#include <stddef.h>

#include "tranche/error.h"

/*
 * The path of a device's socket: $XDG_RUNTIME_DIR/tranche/UUID.sock, or without that variable /run/tranche/UUID.sock for
 * root.  Nothing is made.  Return: 0; -ENOENT (neither), -ENAMETOOLONG (does not fit into len bytes).
 */
int base_runtime_socket(const char *uuid, char *ret, size_t len, struct trn_error *err);

/*
 * Where tranched listens: the path given, else $TRANCHE_SOCKET, else $XDG_RUNTIME_DIR/tranche/api.sock if there is one, else
 * /run/tranche/api.sock.  Whether somebody does is not looked at.  Return: 0 or -ENAMETOOLONG (len at most that of a path of a socket).
 */
int base_runtime_api_socket(const char *given, char *ret, size_t len, struct trn_error *err);

/* Makes the folder of path, with mode 0700, if it is missing; its own folder must exist. Return: 0 or -errno. */
int base_runtime_make_folder(const char *path, struct trn_error *err);

#endif
