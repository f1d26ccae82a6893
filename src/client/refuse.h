/* SPDX-License-Identifier: MIT */
/* Errors with their remedy in one call. */
#ifndef CLIENT_REFUSE_H
#define CLIENT_REFUSE_H

#include "tranche/error.h"

/* As trn_error_set(), with a hint. Return: code. */
int client_refuse(struct trn_error *err, int code, const char *name, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* This process has no memory left. Return: -ENOMEM. */
int client_refuse_memory(struct trn_error *err);

#define CLIENT_HINT_RESTART "start the device anew; it and this driver should be of the same release"
#define CLIENT_HINT_GROUP "become a member of the group that owns it, usually render, and log in anew"
#define CLIENT_HINT_SHARING "set TRANCHE_SHARING=1, or call client_devices_allow_sharing() first, in a virtual machine"
#define CLIENT_HINT_QUOTA "release buffers, ask for less, or give the device a larger quota"

#endif
