/* SPDX-License-Identifier: MIT */
/* Sockets of devices that belong to another user than their process. */
#ifndef DEVICE_OWNER_H
#define DEVICE_OWNER_H

#include <sys/types.h>

/*
 * Lets that user open the socket: it becomes its file, or where only root may give files away, anybody can open it.  Who
 * connects is checked in any case.  Failures are logged.
 */
void device_owner_give(const char *path, uid_t owner);

#endif
