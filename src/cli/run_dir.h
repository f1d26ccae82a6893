/* SPDX-License-Identifier: MIT */
/* The folder of one "tranche run": the device's socket, and the vendors folder that shows a program our driver alone. */
#ifndef CLI_RUN_DIR_H
#define CLI_RUN_DIR_H

#include <limits.h>

#include "tranche/error.h"

struct run_dir {
	char path[64];	  /* short: a socket's name has 108 bytes */
	char vendors[80]; /* OCL_ICD_VENDORS for the program */
	char socket[80];
	int listener; /* listening on socket; owned */
};

/*
 * Makes everything under $XDG_RUNTIME_DIR/tranche, or else under a folder of this user in /tmp, all of it 0700.
 * driver: absolute path of the OpenCL driver. Return: 0 or -errno; nothing is left on failure.
 */
int run_dir_create(struct run_dir *d, const char *driver, struct trn_error *err);

/* Removes what create made, if the device process has not done so already; closes the listener. */
void run_dir_destroy(struct run_dir *d);

#endif
