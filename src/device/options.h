/* SPDX-License-Identifier: MIT */
/* The command line of tranche-device. */
#ifndef DEVICE_OPTIONS_H
#define DEVICE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

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
	const char *control_socket; /* where tranched connects; NULL: nowhere */
	bool is_unconfirmed; /* ends unless somebody confirms it there */
	const char *lock;  /* file that is held as long as the process lives; NULL: none */
	const char *ended; /* file that tells why it ended; NULL: none */
	bool has_owner;
	uid_t owner; /* who may connect, besides root and our own user */
	const char *parent_socket; /* of the tranche-parent that all devices of the parent share; NULL: one of our own */
	uint32_t time; /* thousandths of the parent's time; 0: no promise */
	bool has_behind;
	uint64_t behind; /* bytes that an executor may have beside buffers; 0: no limit */
	bool has_aperture;
	uint64_t aperture; /* bytes of memory that a guest sees; 0: chosen by the quota */
	bool has_host_device;
	uint32_t host_device;
	uint64_t memory; /* bytes; 0: as much as the type has, or the host's device */
	bool is_list; /* only show what there is ... */
	bool is_json; /* ... for programs */
	struct device_option keys[DEVICE_MAX_KEYS]; /* for the driver, in the order given */
	unsigned int nr_keys;
};

/* Return: 0; 1 when help or version was printed; -EINVAL with a sentence, and *ret is what came before that. Strings point
 * into argv. */
int device_options_parse(int argc, char **argv, struct device_options *ret, struct trn_error *err);

#endif
