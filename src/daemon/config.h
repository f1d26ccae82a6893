/* SPDX-License-Identifier: MIT */
/* tranched's configuration: a file with sections (man tranched.conf), read at start and on SIGHUP. */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tranche/error.h"

enum daemon_policy { DAEMON_BEST_EFFORT, DAEMON_EQUAL, DAEMON_FIXED };

/* [parent NAME] */
struct daemon_parent_config {
	char *name;
	char *driver; /* of tranche-device: "compute", "mtty", ... */
	bool has_host_device;
	uint32_t host_device; /* compute: index over all devices of all platforms */
	uint64_t memory;      /* bytes to be shared out; 0: what the host device has, less the reserve */
	bool has_policy;
	enum daemon_policy policy;
	uint32_t slice_us; /* 0: default */
};

struct daemon_config {
	/* [daemon] */
	char *file;	       /* where it was read from; NULL: nowhere, all defaults */
	char *runtime_dir;     /* sockets, running devices: /run/tranche, or $XDG_RUNTIME_DIR/tranche */
	char *definitions_dir; /* /etc/tranche/devices, or $XDG_CONFIG_HOME/tranche/devices */
	char *socket;	       /* default: api.sock in runtime_dir */
	mode_t socket_mode;    /* default 0660, with --user 0600 */
	char *socket_group;    /* NULL: the process's own; default "tranche", if there is such a group and we are root */
	char *admin_group;     /* who may administer, besides root and this user; NULL: nobody */
	char *use_group;       /* who may use; default: socket_group */
	bool others_read;      /* those who can open the socket, and are in no group: may they read? default yes */
	char *listen;	       /* "127.0.0.1:7330", "[::1]:7330"; NULL: no TCP (default) */
	unsigned int max_connections; /* default 1000 */
	bool uses_systemd;     /* devices are instances of tranche-device@.service; default: running as a system service */
	char *device_user;     /* whom their processes belong to, as root by systemd; default "tranche" */
	bool finds_opencl;     /* a parent for each OpenCL device of the host; default yes */
	char *store;	       /* --store of device processes; NULL: default */
	/* [parent ...] */
	struct daemon_parent_config *parents;
	size_t nr_parents;
	/* not from the file */
	bool is_user; /* --user */
};

/*
 * What is there without a file; file: NULL: the usual place, which may be missing.  A sentence names file, line, key and
 * value of what is wrong, and nothing of *ret is set then.  Return: 0 or -errno.
 */
int daemon_config_load(const char *file, bool is_user, struct daemon_config *ret, struct trn_error *err);
void daemon_config_free(struct daemon_config *c);

#endif
