/* SPDX-License-Identifier: MIT */
/* The command line of tranche-device. */
#ifndef DEVICE_OPTIONS_H
#define DEVICE_OPTIONS_H

#include <stdint.h>

#include "tranche/error.h"

struct device_options {
	const char *parent; /* name of a driver, see parents.h */
	const char *uuid;
	const char *socket_path; /* NULL: use fd */
	const char *runtime_dir; /* private folder for the sessions' folders; exists */
	const char *executor;	 /* NULL: the one that belongs to this program */
	int fd;			 /* listening socket, or -1 */
	int control_fd;		 /* of "tranche run", or -1 */
	uint32_t host_device;
	uint64_t memory; /* bytes; 0: as much as the host's device has */
};

/* Return: 0; 1 when help or version was printed; -EINVAL with a sentence. Strings point into argv. */
int device_options_parse(int argc, char **argv, struct device_options *ret, struct trn_error *err);

#endif
