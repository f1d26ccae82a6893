/* SPDX-License-Identifier: MIT */
/* The control socket (include/tranche/wire/control.h): what tranched asks of a device process, and is told by it. */
#ifndef DEVICE_CONTROL_SERVER_H
#define DEVICE_CONTROL_SERVER_H

#include "tranche/error.h"

struct device_process;
struct device_control_server;

/* Makes the socket, as the last thing of a start: who can connect finds a device that is ready. Return: 0 or -errno. */
int device_control_server_open(struct device_process *p, struct device_control_server **ret, struct trn_error *err);

/* The device is about to go: what waits for its users is refused, and nothing is answered any more but what has been. */
void device_control_server_stop(struct device_control_server *cs);

/* Closes all and removes the socket; the device may be gone by then. NULL is accepted. */
void device_control_server_close(struct device_control_server *cs);

#endif
