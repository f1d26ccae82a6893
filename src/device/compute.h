/* SPDX-License-Identifier: MIT */
/*
 * Compute devices: what the two ways to serve them have in common, which are a socket for programs (serve_compute.c) and
 * vfio-user for a virtual machine (serve_compute_pci.c).
 */
#ifndef DEVICE_COMPUTE_H
#define DEVICE_COMPUTE_H

#include <limits.h>
#include <stdbool.h>

#include "device/process.h"
#include "parents/compute/compute.h"

/* First in the data of both services. */
struct device_compute {
	struct device_process *process;
	struct compute_config config;
	void (*idle)(struct device_compute *c); /* nothing is left of any session; the service's */
	bool has_forker;
	bool wants_folder; /* for the sessions alone, if none was chosen: sockets of several devices may lie in one. The service's */
	bool has_own_folder; /* ... and it was made for this process, which removes it */
	char executor_path[PATH_MAX];
	char forker_path[PATH_MAX];
	char runtime_dir[PATH_MAX];
};

/* The process's own settings, and what the command line left open but for UUID and socket. 0 or -errno. */
int device_compute_prepare(struct device_compute *c, struct device_process *p, struct trn_error *err);
/* Last of all; frees nothing. */
void device_compute_finish(struct device_compute *c);

/* As in struct device_service. */
void device_compute_set(struct device_process *p, const struct trn_resources *want, device_set_done done, void *data);
void device_compute_get_stats(const struct device_process *p, struct trnc_control_stats *ret);

#endif
