/* SPDX-License-Identifier: MIT */
/* The server of vfio-user, as the command line wants it: for every device of a virtual machine. */
#ifndef DEVICE_VFIO_USER_H
#define DEVICE_VFIO_USER_H

#include <stdbool.h>
#include <sys/un.h>

#include "device/process.h"
#include "tranche/server.h"

struct device_vfio_user {
	struct trn_server *server;
	bool is_chosen; /* UUID or path were not given: the person must be told */
	char uuid[TRN_UUID_SIZE];
	char socket_path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

/* Before there are threads. */
void device_vfio_user_limit_heaps(void);
/* For use by hand: what was not given of UUID and socket is chosen, and becomes that of the options. 0 or -errno. */
int device_vfio_user_choose_names(struct device_vfio_user *v, struct device_process *p, struct trn_error *err);
/* Lets clients in at the listener, which it takes over. 0 or -errno. */
int device_vfio_user_start(struct device_vfio_user *v, struct device_process *p, struct trn_error *err);

#endif
