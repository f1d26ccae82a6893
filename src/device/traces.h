/* SPDX-License-Identifier: MIT */
/* What a device process leaves for who looks after it: a lock as long as it lives, and a word when it ends. */
#ifndef DEVICE_TRACES_H
#define DEVICE_TRACES_H

#include "tranche/error.h"

/* Holds the file until the process ends. Return: its descriptor, which stays open; -EBUSY (another process holds it) or -errno. */
int device_lock_take(const char *path, struct trn_error *err);

/* A socket that a process has left which had the lock that we have: removed. Nothing else is. */
void device_remove_stale(const char *path);

/*
 * Writes why the process ends: one line of JSON, {"name","message","hint","code"}, code being why->code as a positive errno
 * or 0.  The file is there whole or not at all.  Failures are logged.
 */
void device_ended_write(const char *path, const struct trn_error *why);

#endif
