/* SPDX-License-Identifier: MIT */
/* The command line of tranche-device. */
#ifndef DEVICE_OPTIONS_H
#define DEVICE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "tranche/error.h"

#define DEVICE_MAX_KEYS 16

/* One -o KEY=VALUE. */
struct device_option {
	char key[32];
	const char *value;
};

struct device_options {
	const char *parent; /* name of a driver, see parents.h */
	const char *type; /* with or without the driver's name; NULL: its first */
	const char *uuid; /* NULL: not given */
	const char *socket_path; /* NULL: not given */
	const char *runtime_dir; /* private folder for the sessions' folders; exists */
	const char *executor;	 /* NULL: the one that belongs to this program */
	const char *fork_server; /* NULL: the one that belongs to this program, if the executor does, too */
	bool no_fork_server;
	bool no_quick;
	const char *store; /* where compiled programs are kept, or "none"; NULL: not given */
	int spare; /* executors that are kept ready; -1: not given */
	int fd;			 /* listening socket, or -1 */
	int control_fd;		 /* of "tranche run", or -1 */
	bool has_host_device;
	uint32_t host_device;
	uint64_t memory; /* bytes; 0: as much as the type has, or the host's device */
	bool is_list; /* only show what there is */
	struct device_option keys[DEVICE_MAX_KEYS]; /* for the driver, in the order given */
	unsigned int nr_keys;
};

/* Return: 0; 1 when help or version was printed; -EINVAL with a sentence. Strings point into argv. */
int device_options_parse(int argc, char **argv, struct device_options *ret, struct trn_error *err);

#endif
