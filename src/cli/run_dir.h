/* SPDX-License-Identifier: MIT */
/* The folder of one "tranche run": the devices' sockets, and the vendors folder that shows a program our driver alone. */
#ifndef CLI_RUN_DIR_H
#define CLI_RUN_DIR_H

#include <limits.h>

#include "cli/run_options.h"
#include "tranche/error.h"

/* Of one device. */
struct run_place {
	char path[80]; /* its folder: the run's own for the first, a numbered one in that for the others */
	char socket[96];
	int listener; /* listening on socket; owned */
};

struct run_dir {
	char path[64];	  /* short: a socket's name has 108 bytes */
	char vendors[80]; /* OCL_ICD_VENDORS for the program */
	int nr;
	struct run_place places[RUN_MAX_DEVICES];
};

/*
 * Makes everything under $XDG_RUNTIME_DIR/tranche, or else under a folder of this user in /tmp, all of it 0700, with a
 * place for each of nr devices. driver: absolute path of the OpenCL driver. Return: 0 or -errno; nothing is left on failure.
 */
int run_dir_create(struct run_dir *d, int nr, const char *driver, struct trn_error *err);

/* Removes what create made, if the device processes have not done so already; closes the listeners. */
void run_dir_destroy(struct run_dir *d);

#endif
