/* SPDX-License-Identifier: MIT */
/* The arguments of tranche-device: from the command line, or from the file that it names (--start-file). */
#ifndef DEVICE_ARGUMENTS_H
#define DEVICE_ARGUMENTS_H

#include "tranche/error.h"

struct device_arguments {
	int argc;
	char **argv; /* ends with NULL */
	char *text;  /* of the file; NULL: there is none, and argv is the caller's */
};

/*
 * --start-file FILE as the first argument is replaced by the lines of FILE: each is one argument, as it stands.  Return: 0 or
 * -errno, and then *ret is the command line as it was.  Opposite: free.
 */
int device_arguments_load(int argc, char **argv, struct device_arguments *ret, struct trn_error *err);
void device_arguments_free(struct device_arguments *a);

#endif
