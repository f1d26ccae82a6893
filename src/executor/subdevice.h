/* SPDX-License-Identifier: MIT */
/* Parts of the host's device, for the queues of sub-devices. */
#ifndef EXECUTOR_SUBDEVICE_H
#define EXECUTOR_SUBDEVICE_H

#include <stdbool.h>

#include "executor/host.h"

/* Are first and nr a range that a queue may name: both 0, or inside the host device's compute units? */
bool exec_subdevice_is_range(struct exec_host *h, uint32_t first, uint32_t nr);

/*
 * As exec_host_create_queue(), on the host's sub-device of just these compute units, which is made at the first call and
 * kept for good.  On the whole device for 0, 0, and where the host makes no such part or no queue on it in a context of
 * the whole.  Threads: any.
 */
cl_command_queue exec_subdevice_create_queue(struct exec_host *h, cl_context context,
					     cl_command_queue_properties properties, uint32_t first, uint32_t nr,
					     cl_int *ret_err);

#endif
