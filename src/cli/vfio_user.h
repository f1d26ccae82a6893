/* SPDX-License-Identifier: MIT */
/* Is what listens at a socket a vfio-user server that a virtual machine could use now? */
#ifndef CLI_VFIO_USER_H
#define CLI_VFIO_USER_H

#include <stdbool.h>

#include "tranche/error.h"

/*
 * Connects, exchanges VERSION, looks whether it is a compute device, and leaves.  Return: 0; -ENOENT or -ECONNREFUSED
 * (nobody listens), -EBUSY (the device has a client), -EPROTO (another protocol), -ETIMEDOUT (no answer in some seconds),
 * or another error of the connection.
 */
int vfio_user_check(const char *path, bool *ret_is_compute, struct trn_error *err);

#endif
